"""Rows of the forecast come and go with policies; histories are worked in beside the passes."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from agentscaler.control.forecasts import Forecasts
from agentscaler.forecast.bank import Bank
from agentscaler.forecast.cohort import Cohort
from agentscaler.forecast.mixture import Mixture
from agentscaler.forecast.rows import lookahead
from tests.fakes.connected import until
from tests.unit.control.pasts import Past, Pauses, expected, filling, made, observing
from tests.unit.observe.worlds import NOON, policy

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class SlowBank(Bank):
    """A bank that takes its time to work a history in."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def backfill(self, *given: Any, **more: Any) -> None:
        self.begun.set()
        assert self.go_on.wait(10)
        super().backfill(*given, **more)


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


@pytest.mark.parametrize("hours", [9 * 24, 24, 3, -1, -24])
async def test_clock_that_jumps_has_the_histories_read_anew(hours: int) -> None:
    """Each minute that was missed costs ten thousand rows 20 ms; going back, none was learned."""
    past, clock = Past(load=40.0), Pauses()
    forecasts, one, closed = made(past, clock), observing(), list[int]()
    async with filling(forecasts):
        forecasts.feed([one], NOON, {one.key: 40.0})
        await until(lambda: not forecasts._without_history and not forecasts._is_busy)
        past.load, clock.date = 8.0, NOON + hours * HOUR
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Mixture, "close", lambda *given: closed.append(given[1]))
            forecasts.feed([one], clock.date, {one.key: 8.0})
            forecasts.feed([one], clock.date + MINUTE, {one.key: 8.0})
        assert len(closed) <= 1
        assert len(forecasts._without_history) == 1
        await until(lambda: not forecasts._without_history and not forecasts._is_busy)
    assert expected(forecasts.outlook(one, clock.date, None)) == pytest.approx(8.0, abs=1)


async def test_clock_that_jumps_while_a_history_is_read_has_it_read_again() -> None:
    past, clock, one = Past(load=8.0), Pauses(), observing()
    forecasts = made(past, clock)
    forecasts.feed([one], NOON, {})

    def jump() -> None:
        if len(past.asked) == 1:
            clock.date = NOON + 24 * HOUR
            for minutes in range(2):
                forecasts.feed([one], clock.date + minutes * MINUTE, {})

    past.meanwhile = jump
    async with filling(forecasts):
        await until(lambda: clock.begun)
        clock.over.set()
        await until(lambda: not forecasts._without_history and not forecasts._is_busy)
    assert len(past.asked) == 2
    assert expected(forecasts.outlook(one, clock.date, None)) == pytest.approx(8.0, abs=1)


def test_clock_that_is_set_right_by_a_minute_loses_nothing() -> None:
    forecasts, one = made(), observing()
    for minute in [*range(60), *range(58, 65)]:
        forecasts.feed([one], NOON + minute * MINUTE, {one.key: 12.0})
    assert expected(forecasts.outlook(one, NOON + HOUR, None)) == pytest.approx(12, abs=1)


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
