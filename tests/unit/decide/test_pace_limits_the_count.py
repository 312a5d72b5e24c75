"""Stabilization, cooldowns and steps of the demand strategy, as a story over time."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentscaler.decide.decision import Advice, Decision, Memory, carried_out
from agentscaler.decide.engine import decide
from tests.unit.decide.worlds import MINUTE, NOON, OLD, SECOND, policy, seen, threshold, watched

EAGER = {"scaleUp": {"maxStep": 100}, "scaleDown": {"maxStep": 100}}


def test_shrinking_waits_until_the_last_peak_leaves_the_window() -> None:
    spec = policy(demand=EAGER)
    peak = Memory(since=NOON - 60 * MINUTE, advices=(Advice(NOON - 4 * MINUTE, 8),), ready=8)
    held = decide(spec, seen(replicas=8), peak)
    freed = decide(spec, seen(NOON + 2 * MINUTE, replicas=8), held.memory)
    assert (held.replicas, held.reason, freed.replicas) == (8, "Stabilizing", 1)
    assert held.hint == "falls from 12:01:00 on, unless the need rises again"


def test_falling_load_is_followed_step_by_step_a_window_behind() -> None:
    spec = policy(demand=EAGER)
    memory, replicas = OLD, 12
    counts = []
    for minute in range(12):
        load = max(0.0, 28.0 - 4 * minute)
        decision = decide(
            spec, seen(NOON + minute * MINUTE, replicas=replicas, active_requests=load), memory
        )
        memory, replicas = carried_out(decision), decision.replicas
        counts.append(decision.replicas)
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[6] > counts[11]


def test_restart_holds_for_a_whole_window() -> None:
    spec = policy(demand=EAGER)
    first = decide(spec, seen(replicas=8), Memory(slots_per_replica=4.0))
    later = decide(spec, seen(NOON + 4 * MINUTE, replicas=8), watched(first.memory))
    freed = decide(spec, seen(NOON + 5 * MINUTE, replicas=8), later.memory)
    assert (first.replicas, later.replicas, freed.replicas) == (8, 8, 1)


REGRET = Memory(
    since=NOON - 60 * MINUTE,
    last_down=NOON - 8 * MINUTE,
    last_up=NOON - 5 * MINUTE,
    slots_per_replica=4.0,
    ready=5,
    reserve=0.0,
)
"""The last scale-down was undone after three minutes, five minutes ago."""


def test_small_shrink_that_was_undone_is_not_repeated_for_two_cooldowns() -> None:
    busy: dict[str, Any] = {"replicas": 5, "active_requests": 16.0}
    held = decide(policy(), seen(**busy), REGRET)
    freed = decide(policy(), seen(NOON + 5 * MINUTE, **busy), REGRET)
    assert (held.replicas, held.reason, freed.replicas) == (5, "Stabilizing", 4)
    assert "the last scale-down was undone after 3m" in held.message
    assert held.hint == "falls from 12:05:00 on, unless the need rises again"


@pytest.mark.parametrize(
    ("replicas", "active", "left"),
    [(5, 12.0, 3), (20, 72.0, 20), (20, 68.0, 17), (5, 20.0, 5)],
    ids=["two of five", "a tenth", "more than a tenth", "none"],
)
def test_only_small_shrinks_are_damped(replicas: int, active: float, left: int) -> None:
    spec = policy(demand=EAGER, maxReplicas=100)
    memory = replace(REGRET, ready=replicas)
    assert decide(spec, seen(replicas=replicas, active_requests=active), memory).replicas == left


@pytest.mark.parametrize(
    "past",
    [
        {"last_down": None},
        {"last_up": None},
        {"last_down": NOON - 15 * MINUTE},
        {"last_down": NOON - 4 * MINUTE},
        {"last_down": REGRET.last_up},
        {"last_up": NOON + 5 * MINUTE, "last_down": NOON + 2 * MINUTE},
    ],
    ids=["never shrunk", "never grown", "undone late", "shrunk since", "at once", "clock set back"],
)
def test_shrink_that_was_not_undone_is_free(past: dict[str, Any]) -> None:
    memory = replace(REGRET, **past)
    assert decide(policy(), seen(replicas=5, active_requests=16.0), memory).replicas == 4


def test_nothing_is_damped_where_nothing_would_shrink() -> None:
    met = decide(policy(), seen(replicas=5, active_requests=20.0), REGRET)
    assert [step.name for step in met.steps] == ["demand"]


def test_thresholds_are_not_damped() -> None:
    memory = replace(REGRET, last_down=NOON - 12 * MINUTE)
    spec = threshold(scaleDown={"utilization": "90%"})
    calm = seen(replicas=5, active_requests=1.0)
    assert decide(spec, calm, memory).replicas == 4


def test_growth_is_limited_to_the_step() -> None:
    decision = decide(policy(), seen(active_requests=200.0, wait=0.0), OLD)
    assert (decision.replicas, decision.reason) == (8, "StepLimited")
    assert decision.hint == "would be 50 without demand.scaleUp.maxStep"


@pytest.mark.parametrize(("step", "left"), [("25%", 7), (1, 9), ("1%", 9)])
def test_shrinking_is_limited_to_the_step(step: int | str, left: int) -> None:
    spec = policy(demand={"scaleDown": {"maxStep": step, "cooldown": "0s"}})
    decision = decide(spec, seen(replicas=10), OLD)
    assert (decision.replicas, decision.reason) == (left, "StepLimited")


def test_cooldown_up_spaces_scale_ups() -> None:
    spec = policy(demand={"scaleUp": {"cooldown": "60s"}})
    busy: dict[str, Any] = {"active_requests": 200.0}
    grown = carried_out(decide(spec, seen(**busy), OLD))
    soon = decide(spec, seen(NOON + 59 * SECOND, replicas=8, **busy), grown)
    later = decide(spec, seen(NOON + MINUTE, replicas=8, **busy), grown)
    assert (soon.replicas, later.replicas) == (8, 16)


def test_default_grows_at_every_poll() -> None:
    grown = carried_out(decide(policy(), seen(active_requests=200.0), OLD))
    assert (
        decide(policy(), seen(NOON + SECOND, replicas=8, active_requests=200.0), grown).replicas
        == 16
    )


def test_scaling_nothing_starts_no_clock() -> None:
    decision = decide(policy(), seen(active_requests=7.0), OLD)
    assert carried_out(decision) is decision.memory


def test_scaling_starts_the_clock_of_its_direction() -> None:
    up = carried_out(decide(policy(), seen(active_requests=40.0), OLD))
    down = carried_out(decide(policy(), seen(), OLD))
    assert (up.last_up, up.last_down) == (NOON, None)
    assert (down.last_up, down.last_down) == (None, NOON)


def test_advice_older_than_the_window_is_forgotten() -> None:
    old = Memory(since=NOON, advices=(Advice(NOON - timedelta(hours=1), 50),))
    assert decide(policy(), seen(), old).memory.advices == (Advice(NOON, 0),)


def stages(decision: Decision) -> set[str]:
    return {step.name for step in decision.steps}


def test_advice_leaves_the_window_when_it_is_as_old() -> None:
    old = Memory(since=NOON, advices=(Advice(NOON - 5 * MINUTE, 50),))
    assert decide(policy(), seen(), old).memory.advices == (Advice(NOON, 0),)


def test_advice_that_is_given_again_is_kept_once_and_as_the_newer() -> None:
    known = Memory(since=NOON - MINUTE, advices=(Advice(NOON - MINUTE, 2),), reserve=0.0)
    told = decide(policy(), seen(active_requests=8.0), known)
    assert told.memory.advices == (Advice(NOON, 2),)


def test_pace_is_not_told_of_where_it_holds_nothing() -> None:
    spec = policy(demand={"scaleUp": {"cooldown": "60s"}})
    grown = replace(OLD, last_up=NOON - SECOND, reserve=0.0)
    assert stages(decide(spec, seen(active_requests=16.0), grown)) == {"demand"}
    assert stages(decide(policy(), seen(active_requests=12.0), grown)) == {"demand"}


def test_cooldown_of_thresholds_is_not_told_of_while_nothing_moves() -> None:
    shrunk = replace(OLD, last_up=NOON - SECOND, last_down=NOON - SECOND)
    calm = decide(threshold(), seen(active_requests=8.0), shrunk)
    assert "cooldown" not in stages(calm)


def test_step_is_told_with_its_way_and_its_size() -> None:
    down = decide(policy(demand={"scaleDown": {"cooldown": "0s"}}), seen(replicas=8), OLD)
    assert "maxStep lets it move down by 2 at a time" in down.message
    up = decide(policy(), seen(active_requests=200.0), OLD)
    assert "maxStep lets it move up by 4 at a time" in up.message


@pytest.mark.parametrize(
    ("ahead", "replicas"),
    [(30 * SECOND, 4), (MINUTE, 4), (90 * SECOND, 8)],
    ids=["half a minute", "a minute", "more"],
)
def test_scaling_of_the_future_counts_while_two_clocks_may_differ_so_much(
    ahead: timedelta, replicas: int
) -> None:
    spec = policy(demand={"scaleUp": {"cooldown": "60s"}})
    grown = replace(OLD, last_up=NOON + ahead)
    assert decide(spec, seen(active_requests=200.0), grown).replicas == replicas
