"""After a gap in the decisions nobody knows what happened meanwhile: it ends as a start does."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.api.policy import PolicySpec
from agentscaler.api.signals import SignalName
from agentscaler.decide import bounds
from agentscaler.decide.decision import Decision, Memory
from agentscaler.decide.engine import decide
from agentscaler.decide.limits import Learned, Still
from agentscaler.decide.snapshot import Snapshot
from tests.unit.decide import worlds
from tests.unit.decide.worlds import MINUTE, NOON, OLD, SECOND, UNKNOWN, policy, seen

HOUR = timedelta(hours=1)
POLL = 15 * SECOND
BUSY: dict[str, Any] = {"active_requests": 50.0}
QUIET: dict[str, Any] = {"active_requests": 12.0, "arrival_rate": 0.0, "completion_rate": 0.0}


def looked(*, replicas: int = 20, **signals: Any) -> Memory:
    """Give the memory of a fleet that was decided on for an hour, at noon for the last time."""
    memory = OLD
    for minute in range(-60, 1):
        memory = decide(
            policy(), seen(NOON + minute * MINUTE, replicas=replicas, **signals), memory
        ).memory
    return memory


def reasons(decision: Decision) -> list[str]:
    return [step.reason for step in decision.steps]


@pytest.mark.parametrize("gap", [2 * MINUTE + SECOND, 10 * MINUTE, 2 * HOUR], ids=str)
def test_nothing_is_removed_in_a_lull_right_after_a_gap(gap: timedelta) -> None:
    memory, counts = looked(**BUSY), []
    for poll in range(3):
        lull = seen(NOON + gap + poll * POLL, replicas=20)
        decision = decide(policy(), lull, memory)
        memory = decision.memory
        counts.append(decision.replicas)
    assert counts == [20, 20, 20]


def test_lull_as_long_as_the_window_removes_replicas_after_a_gap_too() -> None:
    memory, spec = looked(**BUSY), policy()
    for poll in range(21):
        decision = decide(spec, seen(NOON + HOUR + poll * POLL, replicas=20), memory)
        memory = decision.memory
    assert decision.replicas < 20


def test_first_look_after_a_gap_says_since_when_nobody_looked() -> None:
    decision = decide(policy(), seen(NOON + HOUR, replicas=20), looked(**BUSY))
    assert decision.reason == "FirstPass"
    assert "this is the first look since 12:00:00" in decision.message


def test_growth_waits_for_no_second_look_after_a_gap() -> None:
    assert decide(policy(), seen(NOON + HOUR, active_requests=40.0), looked(**BUSY)).replicas > 4


def test_requests_that_nobody_watched_are_no_phantoms() -> None:
    before = decide(policy(), seen(replicas=6, **QUIET), OLD).memory
    assert before.limits.still == Still(12.0, NOON)
    after = decide(policy(), seen(NOON + 2 * HOUR, replicas=6, **QUIET), before)
    assert "PhantomLoad" not in reasons(after)
    assert after.memory.limits.still == Still(12.0, NOON + 2 * HOUR)


def test_phantom_stays_one_over_a_gap() -> None:
    phantom = Still(12.0, NOON - HOUR, phantom=True)
    memory = replace(OLD, last=NOON, limits=Learned(still=phantom))
    after = decide(policy(), seen(NOON + 2 * HOUR, replicas=6, **QUIET), memory)
    assert after.memory.limits.still == phantom


def test_failures_on_both_sides_of_a_gap_are_not_in_a_row() -> None:
    spec = policy(fallback={"behavior": "Static", "replicas": 2})
    memory = replace(OLD, last=NOON, failures=2)
    blind = seen(NOON + HOUR, replicas=20, active_requests=UNKNOWN)
    after = decide(spec, blind, memory)
    assert (after.replicas, after.memory.failures) == (20, 1)


def test_what_was_learned_outlives_a_gap() -> None:
    memory = replace(
        looked(**BUSY), slots_per_replica=3.0, reserve=1.5, last_up=NOON, last_down=NOON - HOUR
    )
    unmeasured = policy(signals={})
    after = decide(unmeasured, seen(NOON + HOUR, replicas=0, capacity=0.0), memory).memory
    assert (after.slots_per_replica, after.reserve) == (3.0, 1.5)
    assert (after.last_up, after.last_down) == (NOON, NOON - HOUR)


@pytest.mark.parametrize(
    ("interval", "gap"),
    [("15s", 2 * POLL), ("15s", 2 * MINUTE), ("1m", 4 * MINUTE), ("15s", -HOUR)],
    ids=["two polls", "two minutes", "four rare polls", "a clock that was set back"],
)
def test_decisions_that_follow_each_other_have_no_gap(interval: str, gap: timedelta) -> None:
    spec = policy(pollingInterval=interval, demand={"scaleDown": {"cooldown": "0s"}})
    memory = replace(OLD, since=NOON - HOUR, last=NOON)
    after = decide(spec, seen(NOON + gap, replicas=20), memory)
    assert after.replicas < 20
    assert (after.memory.since, after.memory.last) == (NOON - HOUR, NOON + gap)


def calm(view: Snapshot, active: int) -> Snapshot:
    """Show a fleet of which all is known, and in which nothing moves."""
    signals = {
        **view.signals,
        **dict.fromkeys(
            (SignalName.ARRIVAL_RATE, SignalName.COMPLETION_RATE, SignalName.QUEUE_DEPTH), 0.0
        ),
        SignalName.ACTIVE_REQUESTS: float(active),
    }
    return replace(
        view, signals=signals, partial="", replicas=replace(view.replicas, rolling_out=False)
    )


@st.composite
def gaps(draw: st.DrawFn) -> tuple[PolicySpec, Snapshot, Memory]:
    before, after = (draw(worlds.snapshots(worlds.loads)) for _ in range(2))
    spec, jump = draw(worlds.policies()), draw(st.integers(121, 10**6))
    memory = decide(spec, calm(before, 5), draw(worlds.memories(before.now))).memory
    active = draw(st.sampled_from([5, 5, 0, 3, 40]))
    return spec, replace(calm(after, active), now=before.now + jump * SECOND), memory


@given(gaps())
def test_nothing_is_removed_at_the_first_look_after_any_gap(
    world: tuple[PolicySpec, Snapshot, Memory],
) -> None:
    spec, after, memory = world
    limits = bounds.bounds_at(spec, after.now)
    held = min(max(after.replicas.current, limits.low), limits.high)
    assert decide(spec, after, memory).replicas >= held


@given(gaps())
def test_no_phantom_is_found_at_the_first_look_after_any_gap(
    world: tuple[PolicySpec, Snapshot, Memory],
) -> None:
    spec, after, memory = world
    known, found = memory.limits.still, decide(spec, after, memory).memory.limits.still
    assert found is None or not found.phantom or (known is not None and known.phantom)
