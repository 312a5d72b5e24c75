"""Rows of the forecast come and go with policies; histories are worked in beside the passes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from agentscaler.api.policy import Policy
from agentscaler.control.forecasts import Forecasts
from agentscaler.forecast.bank import Bank
from agentscaler.forecast.cohort import Cohort
from agentscaler.forecast.outlook import Outlook
from agentscaler.forecast.rows import lookahead
from agentscaler.observe.credentials import Credentials
from agentscaler.observe.recorded import Recorder, Series
from agentscaler.observe.sources import NO_SECRETS, SecretKey
from agentscaler.observe.timelines import Loads
from tests.fakes.connected import until
from tests.unit.observe.worlds import NOON, policy

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Past(Recorder):
    """Histories of a steady load, as far as they can be had."""

    def __init__(self, load: float = 8.0) -> None:
        self.load = load
        self.unknown: set[str] = set()
        self.asked: list[tuple[list[str], timedelta, timedelta]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    async def fetch_history(
        self,
        policies: Iterable[Policy],
        *,
        now: datetime,
        span: timedelta,
        step: timedelta,
        secrets: Mapping[SecretKey, Credentials] = NO_SECRETS,
    ) -> dict[str, Series]:
        keys = [each.key for each in policies]
        self.asked.append((keys, span, step))
        await asyncio.sleep(0)
        self.meanwhile()
        count = int(span / step)
        start = now - span
        times: Loads = (
            start.timestamp() + (np.arange(count, dtype=np.float64) + 0.5) * step.total_seconds()
        )
        return {
            key: Series(start, step, times, np.full(count, self.load))
            for key in keys
            if key not in self.unknown
        }


class Pauses:
    """A clock that stands at noon, and on which every pause waits for the test."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.over = asyncio.Event()

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 1000.0

    async def sleep(self, seconds: float) -> None:
        self.begun.append(seconds)
        await self.over.wait()
        self.over.clear()


class SlowBank(Bank):
    """A bank that takes its time to work a history in."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def backfill(self, *given: Any, **more: Any) -> None:
        self.begun.set()
        assert self.go_on.wait(10)
        super().backfill(*given, **more)


def made(past: Past | None = None, clock: Pauses | None = None) -> Forecasts:
    return Forecasts(past or Past(), lambda: NO_SECRETS, clock or Pauses())


def observing(name: str = "research", **prediction: Any) -> Policy:
    return policy(name, prediction={"mode": "Observe", "history": "1h", **prediction})


def greedy(number: int) -> Policy:
    """Give one of many policies of a namespace, each of which needs another history."""
    return observing(f"p{number}", history=f"{number + 60}m")


def elsewhere(namespace: str) -> Policy:
    return observing(history="2d").model_copy(update={"namespace": namespace})


@asynccontextmanager
async def filling(forecasts: Forecasts) -> AsyncIterator[None]:
    task = asyncio.create_task(forecasts.fill())
    try:
        yield
    finally:
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def expected(outlook: Outlook | None) -> float:
    assert outlook is not None
    return outlook.expected


def rows(forecasts: Forecasts) -> dict[str, int]:
    return {key: row.handle for key, row in forecasts._rows.items()}


def test_policy_that_is_not_followed_has_no_outlook() -> None:
    assert made().outlook(observing(), NOON, None) is None


def test_policy_without_prediction_has_no_row() -> None:
    forecasts, off = made(), policy(prediction={"mode": "Off"})
    forecasts.follow(off)
    forecasts.note(NOON, {off.key: 5.0})
    assert forecasts.outlook(off, NOON, None) is None


def test_policy_that_wants_no_forecast_any_more_gives_its_row_back() -> None:
    forecasts = made()
    forecasts.follow(observing("a"))
    row = rows(forecasts)["agents/a"]
    forecasts.follow(policy("a", prediction={"mode": "Off", "season": "2h"}))
    forecasts.follow(observing("b"))
    assert rows(forecasts) == {"agents/b": row}


def test_season_that_changes_over_and_over_leaves_nothing_behind() -> None:
    """Each pass moves all cohorts on in time, and empty ones filled the loop."""
    forecasts, touched = made(), list[Cohort]()
    for number in range(100):
        forecasts.follow(observing(season=f"{240_000 + number}ms"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cohort, "advance", lambda cohort, _: touched.append(cohort))
        forecasts.note(NOON, {"agents/research": 12.0})
    assert [cohort.rhythm.season for cohort in touched] == [timedelta(milliseconds=240_099)]


def test_switched_off_prediction_tells_nothing_at_once() -> None:
    forecasts = made()
    forecasts.follow(observing())
    off = policy(prediction={"mode": "Off"})
    forecasts.follow(off)
    assert forecasts.outlook(off, NOON, None) is None


def test_load_that_was_noted_is_expected() -> None:
    forecasts = made()
    forecasts.follow(observing())
    for minute in range(60):
        forecasts.note(NOON + minute * MINUTE, {"agents/research": 12.0, "agents/unknown": 1.0})
    ahead = forecasts.outlook(observing(), NOON + HOUR, None)
    assert expected(ahead) == pytest.approx(12, abs=1)


def test_row_is_kept_while_its_shape_is_wanted_and_new_for_another() -> None:
    forecasts = made()
    forecasts.follow(observing())
    for minute in range(60):
        forecasts.note(NOON + minute * MINUTE, {"agents/research": 12.0})
    forecasts.follow(observing(lookahead="5m"))
    assert expected(forecasts.outlook(observing(), NOON + HOUR, None)) > 10
    forecasts.follow(observing(season="1h"))
    assert expected(forecasts.outlook(observing(), NOON + HOUR, None)) < 10


@pytest.mark.parametrize(
    "changed",
    [
        {"scaleTargetRef": {"kind": "StatefulSet", "name": "research"}},
        {"signals": {"agent": "another"}},
    ],
    ids=["target", "agent"],
)
def test_load_of_another_agent_begins_a_new_row(changed: dict[str, Any]) -> None:
    forecasts, before = made(), observing()
    forecasts.follow(before)
    forecasts.note(NOON, {before.key: 40.0})
    after = policy(prediction={"mode": "Observe", "history": "1h"}, **changed)
    forecasts.follow(after)
    forecasts.note(NOON + timedelta(minutes=1), {after.key: 2.0})
    forecasts.note(NOON + timedelta(minutes=2), {after.key: 2.0})
    assert expected(forecasts.outlook(after, NOON + timedelta(minutes=2), None)) == 2.0


def test_forgotten_policy_gives_its_row_back() -> None:
    forecasts = made()
    forecasts.follow(observing("a"))
    row = rows(forecasts)["agents/a"]
    forecasts.forget("agents/a")
    forecasts.forget("agents/a")
    forecasts.follow(observing("b"))
    assert rows(forecasts) == {"agents/b": row}
    assert forecasts.outlook(observing("a"), NOON, None) is None


@pytest.mark.parametrize(
    ("prediction", "lead", "ahead"),
    [
        ({"lookahead": "5m"}, 40, 300),
        ({}, 40, 40),
        ({}, None, 60),
        ({"method": "TimeOfDay"}, 40, 900),
        ({"method": "TimeOfDay", "lookahead": "5m"}, None, 300),
    ],
    ids=["as set", "time of a start", "nothing known", "time of day", "time of day, as set"],
)
def test_lookahead_is_as_set_or_as_long_as_a_start(
    prediction: dict[str, str], lead: float | None, ahead: float
) -> None:
    known = None if lead is None else timedelta(seconds=lead)
    assert lookahead(observing(**prediction).spec, known).total_seconds() == ahead


async def test_history_is_worked_in() -> None:
    past = Past(load=8.0)
    forecasts = made(past)
    forecasts.follow(observing())
    async with filling(forecasts):
        await until(lambda: expected(forecasts.outlook(observing(), NOON, None)) > 7)
    assert past.asked == [(["agents/research"], HOUR, MINUTE)]


async def test_policies_of_one_shape_are_asked_together_and_others_apart() -> None:
    past = Past()
    forecasts = made(past)
    for number in range(250):
        forecasts.follow(observing(f"p{number}", season="2m", history="1d"))
    forecasts.follow(observing("odd", season="10m"))
    async with filling(forecasts):
        await until(lambda: len(past.asked) == 3)
    assert [len(keys) for keys, _, _ in past.asked] == [200, 50, 1]
    # Eight seasons are enough, and no bucket is shorter than a poll.
    assert past.asked[0][1:] == (16 * MINUTE, timedelta(seconds=15))


async def test_policies_that_need_the_same_history_are_asked_together_whatever_their_quantile() -> (
    None
):
    past = Past()
    forecasts = made(past)
    for number in range(1, 10):
        forecasts.follow(observing(f"p{number}", quantile=f"{number}0%"))
    forecasts.follow(observing("long", history="8d", season="1h"))
    forecasts.follow(observing("longer", history="9d", season="1h"))
    async with filling(forecasts):
        await until(lambda: len(past.asked) == 2)
        await until(lambda: not forecasts._without_history)
    assert [len(keys) for keys, _, _ in past.asked] == [9, 2]


async def test_namespace_that_wants_many_histories_keeps_no_other_waiting() -> None:
    past = Past()
    forecasts = made(past)
    forecasts.follow(*(greedy(number) for number in range(10)))
    forecasts.follow(elsewhere("calm"))
    async with filling(forecasts):
        await until(lambda: len(past.asked) == 11)
    assert ["calm/research"] in [keys for keys, _, _ in past.asked[:2]]


async def test_policy_that_comes_while_many_histories_are_read_is_next() -> None:
    past = Past()
    forecasts = made(past)
    forecasts.follow(*(greedy(number) for number in range(10)))
    past.meanwhile = lambda: forecasts.follow(elsewhere("late"))
    async with filling(forecasts):
        await until(lambda: len(past.asked) == 11)
    assert past.asked[1][0] == ["late/research"]


async def test_history_that_cannot_be_had_is_tried_five_times() -> None:
    past, clock = Past(), Pauses()
    past.unknown = {"agents/research"}
    forecasts = made(past, clock)
    forecasts.follow(observing())
    async with filling(forecasts):
        for tries in range(1, 5):
            await until(lambda tries=tries: len(clock.begun) == tries)  # type: ignore[misc]
            clock.over.set()
        await until(lambda: len(past.asked) == 5)
        forecasts.follow(observing("other"))
        await until(lambda: len(past.asked) == 6)
    assert past.asked[5][0] == ["agents/other"]
    assert clock.begun == [60.0] * 4


async def test_one_unknown_history_keeps_no_other_waiting() -> None:
    past = Past()
    past.unknown = {"agents/a"}
    forecasts = made(past)
    forecasts.follow(observing("a"))
    forecasts.follow(observing("b"))
    async with filling(forecasts):
        await until(lambda: expected(forecasts.outlook(observing("b"), NOON, None)) > 7)


@asynccontextmanager
async def worked_in(*names: str) -> AsyncIterator[tuple[Forecasts, SlowBank]]:
    """Be in the middle of working a history in; it is done at the end."""
    forecasts, bank = made(), SlowBank()
    forecasts._bank = bank
    for name in names:
        forecasts.follow(observing(name))
        forecasts.outlook(observing(name), NOON, None)
    async with filling(forecasts):
        await until(bank.begun.is_set)
        yield forecasts, bank
        bank.go_on.set()
        await until(lambda: not forecasts._is_busy)


async def test_outlook_of_before_is_repeated_while_a_history_is_worked_in() -> None:
    async with worked_in("research") as (forecasts, bank):
        before = forecasts.outlook(observing(), NOON + MINUTE, None)
        assert expected(before) == 0
        assert forecasts.outlook(observing(), NOON + 2 * MINUTE, None) is before
        bank.go_on.set()
        await until(lambda: expected(forecasts.outlook(observing(), NOON, None)) > 7)


async def test_samples_wait_while_a_history_is_worked_in() -> None:
    async with worked_in("research") as (forecasts, bank):
        for minute in range(60):
            forecasts.note(NOON + minute * MINUTE, {"agents/research": 30.0})
        assert len(forecasts._waiting) == 60
        bank.go_on.set()
        await until(lambda: not forecasts._is_busy)
        assert forecasts._waiting == []
        assert expected(forecasts.outlook(observing(), NOON + HOUR, None)) > 20


async def test_new_policy_waits_for_its_row_while_a_history_is_worked_in() -> None:
    async with worked_in("research") as (forecasts, bank):
        forecasts.follow(observing("new"))
        assert forecasts.outlook(observing("new"), NOON, None) is None
        bank.go_on.set()
        await until(lambda: not forecasts._is_busy)
        forecasts.follow(observing("new"))
        assert forecasts.outlook(observing("new"), NOON, None) is not None


async def test_row_is_not_given_away_while_its_history_is_worked_in() -> None:
    async with worked_in("gone", "stays") as (forecasts, bank):
        forecasts.forget("agents/gone")
        forecasts.note(NOON, {"agents/gone": 99.0})
        assert forecasts.outlook(observing("gone"), NOON, None) is None
        bank.go_on.set()
        await until(lambda: not forecasts._is_busy)
        forecasts.follow(observing("next", season="1d"))
        assert expected(forecasts.outlook(observing("next"), NOON, None)) == 0
        assert expected(forecasts.outlook(observing("stays"), NOON, None)) > 7


async def test_history_of_another_shape_is_not_worked_into_the_new_row() -> None:
    """The spec changed while its history was being read: the new row needs one of its own."""
    past, clock = Past(), Pauses()
    forecasts = made(past, clock)
    forecasts.follow(observing())
    past.meanwhile = lambda: forecasts.follow(observing(season="1h"))
    async with filling(forecasts):
        await until(lambda: clock.begun)
        assert expected(forecasts.outlook(observing(season="1h"), NOON, None)) == 0
        clock.over.set()
        await until(lambda: len(past.asked) == 2)
        await until(lambda: not forecasts._without_history)
    assert past.asked[1][1:] == (HOUR, timedelta(seconds=15))


async def test_history_of_a_policy_that_went_meanwhile_is_let_go() -> None:
    past = Past()
    forecasts = made(past)
    forecasts.follow(observing())
    past.meanwhile = lambda: forecasts.forget("agents/research")
    async with filling(forecasts):
        await until(lambda: past.asked)
        await until(lambda: not forecasts._is_busy)
    assert rows(forecasts) == {}


async def test_failure_to_read_histories_ends_nothing() -> None:
    """What nobody foresaw in one batch must not keep all later ones from being read."""
    past, clock = Past(), Pauses()
    forecasts = made(past, clock)
    forecasts.follow(observing())

    def fail() -> None:
        past.meanwhile = lambda: None
        raise RuntimeError("broken on purpose")

    past.meanwhile = fail
    async with filling(forecasts):
        await until(lambda: clock.begun)
        clock.over.set()
        await until(lambda: expected(forecasts.outlook(observing(), NOON, None)) > 7)
