"""What policies want to know is worked out once, fairly, and for so long at most in one pass."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from agentscaler.api.policy import Policy
from agentscaler.observe import asks
from agentscaler.observe.asks import Wants
from agentscaler.observe.expressions import WINDOW
from agentscaler.observe.questions import Questions
from agentscaler.observe.tenancy import CONFINED
from tests.fakes.clocks import HandClock
from tests.unit.observe.worlds import metric, policy

SECOND = timedelta(seconds=1)
HEAVY, SHORT = [metric("m", "sum(heavy)")], [metric("m", "sum(short)")]


class Desk:
    """Questions on a clock of their own: a heavy query takes a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.worked_out: list[str] = []
        self.clock = HandClock()
        self.questions = Questions(WINDOW, CONFINED, self.clock)
        self._wants_of = asks.wants_of
        monkeypatch.setattr(asks, "wants_of", self._work_out)

    def _work_out(self, one: Policy, *more: Any) -> Wants:
        self.worked_out.append(one.key)
        is_heavy = any("heavy" in each.query for each in one.spec.metrics)
        self.clock.seconds += 1.0 if is_heavy else 0.001
        return self._wants_of(one, *more)

    async def ask(self, *policies: Policy, at_most: timedelta | None = SECOND) -> Mapping[str, Any]:
        return await self.questions.of(policies, at_most)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


async def test_wants_are_worked_out_once_for_each_spec(desk: Desk) -> None:
    one, other = policy("one"), policy("other")
    await desk.ask(one, other)
    again = policy("one", pollingInterval="5s")
    found = await desk.ask(again, other)
    assert desk.worked_out == ["agents/one", "agents/other", "agents/one"]
    assert found["agents/one"] == asks.wants_of(again, WINDOW, CONFINED)


async def test_namespace_with_long_queries_waits_for_them_alone(desk: Desk) -> None:
    heavy = [policy(f"h{place}", namespace="heavy", metrics=HEAVY) for place in range(3)]
    usual = [policy(f"u{place}", namespace="usual", metrics=SHORT) for place in range(50)]
    assert len(await desk.ask(*heavy, *usual)) == 1  # whose cost nobody could know
    assert {each.key for each in usual} <= (await desk.ask(*heavy, *usual)).keys()
    assert len(await desk.ask(*heavy, *usual)) == 53


async def test_thousands_that_come_at_a_start_are_all_worked_out(desk: Desk) -> None:
    """Whom the pass left out waited for the metrics and the decisions of all others."""
    usual = [policy(f"u{place}") for place in range(1500)]
    assert len(await desk.ask(*usual)) == 1500


async def test_thousands_with_long_queries_delay_a_pass_no_longer_than_a_few(desk: Desk) -> None:
    heavy = [policy(f"h{place}", metrics=HEAVY) for place in range(1000)]
    usual = [policy(f"u{place}") for place in range(10)]
    assert len(await desk.ask(*heavy, *usual)) == 11
    assert desk.clock.seconds - 1000.0 < 1.1


@pytest.mark.parametrize(
    ("spec", "writes"),
    [
        ({}, False),
        ({"signals": {"latency": {"metric": "waited_seconds"}}}, False),
        ({"limits": {"providers": [{"name": "p"}]}}, False),
        ({"metrics": HEAVY}, True),
        ({"gates": [{"name": "g", "query": "sum(heavy)", "above": 1}]}, True),
        ({"signals": {"latency": {"query": "sum(heavy)"}}}, True),
        (
            {"limits": {"providers": [{"name": "p", "rateLimitedRatio": {"query": "sum(heavy)"}}]}},
            True,
        ),
    ],
)
def test_only_what_its_author_wrote_takes_long_to_read(spec: dict[str, Any], writes: bool) -> None:
    assert asks.writes_queries(policy(**spec).spec) is writes


async def test_one_is_worked_out_however_long_it_takes(desk: Desk) -> None:
    heavy = [policy(f"h{place}", metrics=HEAVY) for place in range(3)]
    assert [len(await desk.ask(*heavy)) for _ in range(4)] == [1, 2, 3, 3]
    assert len(await desk.ask(*heavy, policy("more", metrics=HEAVY), at_most=None)) == 4


async def test_loop_turns_while_queries_are_read() -> None:
    """Whoever applies long queries must not keep the operator from renewing its Lease."""
    long = [
        metric(f"m{place}", f"a{place}" + "+ a" * 99, target={"perReplica": 1})
        for place in range(10)
    ]
    questions = Questions(WINDOW, CONFINED, HandClock())
    asking = asyncio.create_task(questions.of([policy("p", metrics=long)], None))
    turns = 0
    while not asking.done():
        turns += 1
        await asyncio.sleep(0)
    assert len(asking.result()) == 1
    assert turns > 5


async def test_policy_that_goes_meanwhile_is_not_kept(desk: Desk) -> None:
    asking = asyncio.create_task(desk.ask(policy("gone")))
    await asyncio.sleep(0)
    desk.questions.forget("agents/gone")
    assert await asking == {}
    assert not desk.questions._known
    assert not desk.questions._new
