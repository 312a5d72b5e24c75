"""Unknown readings, fresh starts, rollouts; and what the policy wants after repeated failures."""

from dataclasses import replace
from typing import Any

import pytest

from agentscaler.decide.decision import Memory
from agentscaler.decide.engine import decide
from agentscaler.decide.snapshot import Missing, Replicas, Why
from tests.unit.decide.worlds import NOON, OLD, UNKNOWN, policy, seen, threshold

DARK: dict[str, Any] = {"active_requests": UNKNOWN, "queue_depth": UNKNOWN}


def test_unknown_readings_hold_and_say_which() -> None:
    decision = decide(threshold(), seen(error_ratio=Missing(Why.STALE, "150 s old")), OLD)
    assert decision.replicas == 4
    calm = decide(policy(), seen(replicas=9, **DARK), OLD)
    assert calm.replicas == 9


def test_reason_of_an_unknown_reading_reaches_the_sentence() -> None:
    stale = Missing(Why.STALE, "150s old")
    spec = policy(metrics=[{"name": "a", "query": "a", "target": {"perReplica": 1}}])
    decision = decide(spec, seen(queue_depth=stale, metrics={"a": 2.0}), OLD)
    assert decision.replicas == 4


def test_first_look_after_a_start_removes_nothing() -> None:
    spec = policy(demand={"scaleDown": {"cooldown": "0s"}})
    fresh = decide(spec, seen(), Memory(slots_per_replica=4.0, ready=4))
    second = decide(spec, seen(), fresh.memory)
    assert (fresh.replicas, fresh.reason) == (4, "FirstPass")
    assert second.replicas == 3


def test_first_look_after_a_start_may_add() -> None:
    assert decide(policy(), seen(active_requests=40.0), Memory()).replicas == 8


def test_rollout_only_adds() -> None:
    rolling = replace(seen(), replicas=Replicas(4, 4, 0, rolling_out=True))
    assert decide(policy(), rolling, OLD).reason == "RollingOut"
    busy = replace(seen(active_requests=40.0), replicas=Replicas(4, 4, 0, rolling_out=True))
    assert decide(policy(), busy, OLD).replicas == 8


def test_partial_answers_remove_nothing() -> None:
    decision = decide(policy(), replace(seen(), partial="one store did not answer"), OLD)
    assert (decision.replicas, decision.reason) == (4, "MetricsPartial")


@pytest.mark.parametrize(
    ("fallback", "counts"),
    [
        ({"behavior": "Hold"}, [4, 4, 4, 4]),
        ({"behavior": "Static", "replicas": 2}, [4, 4, 2, 2]),
        ({"behavior": "AtLeast", "replicas": 6}, [4, 4, 6, 6]),
        ({"behavior": "AtLeast", "replicas": 3}, [4, 4, 4, 4]),
        ({"behavior": "Static", "replicas": 7, "afterFailures": 1}, [7, 7, 7, 7]),
    ],
    ids=["hold", "static", "at least, raises", "at least, never lowers", "at once"],
)
def test_fallback_applies_after_failures_in_a_row(
    fallback: dict[str, Any], counts: list[int]
) -> None:
    spec, memory, seen_counts = policy(fallback=fallback), OLD, []
    for _ in range(4):
        decision = decide(spec, seen(**DARK), memory)
        memory = decision.memory
        seen_counts.append(decision.replicas)
    assert seen_counts == counts


def test_fallback_names_what_is_unknown_and_for_how_long() -> None:
    spec = policy(fallback={"behavior": "Static", "replicas": 2, "afterFailures": 1})
    decision = decide(spec, seen(**DARK), OLD)
    assert decision.reason == "FallbackStatic"
    assert "queueDepth, activeRequests are unknown 1 times in a row" in decision.message


def test_one_good_look_ends_the_count_of_failures() -> None:
    dark = decide(policy(), seen(**DARK), OLD)
    assert dark.memory.failures == 1
    assert decide(policy(), seen(), dark.memory).memory.failures == 0


def test_fallback_hold_is_reported_while_it_holds() -> None:
    spec = policy(fallback={"afterFailures": 1})
    names = [step.name for step in decide(spec, seen(**DARK), OLD).steps]
    assert "fallback" in names


def test_capacity_is_essential_only_while_unknown() -> None:
    spec = policy(signals={})
    assert decide(spec, seen(capacity=UNKNOWN), OLD).replicas == 3
    assert decide(spec, seen(capacity=UNKNOWN), Memory(since=NOON)).memory.failures == 1


def test_metrics_only_policy_misses_no_signal() -> None:
    only = type(policy()).model_validate(
        {
            "scaleTargetRef": {"name": "a"},
            "metrics": [{"name": "a", "query": "a", "target": {"perReplica": 1}}],
        }
    )
    assert decide(only, seen(metrics={"a": 2.0}, **DARK), OLD).memory.failures == 0


def test_fleet_asked_for_but_cut_off_is_not_taken_for_an_idle_one() -> None:
    spec = policy(demand={"scaleDown": {"cooldown": "0s"}})
    stale = Missing(Why.STALE, "150s old")
    decision = decide(spec, seen(replicas=10, ready=0, active_requests=stale), OLD)
    assert (decision.replicas, decision.memory.failures) == (10, 1)


def test_unlimited_reading_asks_for_no_more_than_there_may_be() -> None:
    spec = policy(metrics=[{"name": "a", "query": "a", "target": {"perReplica": "500m"}}])
    decision = decide(spec, seen(active_requests=1.7e308, metrics={"a": 1.7e308}), OLD)
    assert max(step.after for step in decision.steps) <= 100_000


def test_thresholds_need_the_share_of_errors() -> None:
    spec = threshold(fallback={"afterFailures": 1})
    decision = decide(spec, seen(error_ratio=UNKNOWN), OLD)
    assert decision.memory.failures == 1
    assert decision.steps[-1].message == "errorRatio is unknown 1 times in a row: holding"


def test_fallback_that_holds_lets_the_known_part_of_the_work_add() -> None:
    spec = policy(fallback={"afterFailures": 1})
    decision = decide(spec, seen(active_requests=UNKNOWN, queue_depth=50.0), OLD)
    assert decision.replicas == 8
    assert decision.steps[-1].reason == "FallbackHold"


def test_doubt_is_told_only_of_what_it_holds() -> None:
    met = decide(policy(), seen(active_requests=16.0, wait=0.0), Memory())
    assert (met.replicas, [step.name for step in met.steps]) == (4, ["demand"])
