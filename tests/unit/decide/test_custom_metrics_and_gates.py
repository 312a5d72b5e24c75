"""Custom metrics propose counts of their own; gates forbid adding."""

from typing import Any

import pytest

from agentscaler.api.policy import PolicySpec, parse_spec
from agentscaler.decide.engine import decide
from tests.unit.decide.worlds import OLD, UNKNOWN, policy, seen, threshold


def metric(name: str = "tickets", **target: Any) -> dict[str, Any]:
    return {"name": name, "query": name, "target": target}


GATES = [{"name": "database", "query": "db", "above": "90%"}]
FAST = {"scaleUp": {"maxStep": 100}, "scaleDown": {"maxStep": 100, "cooldown": "0s"}}


@pytest.mark.parametrize(
    ("target", "reading", "replicas"),
    [
        ({"perReplica": "20"}, 101.0, 6),
        ({"perReplica": "20"}, 100.0, 5),
        ({"value": "50"}, 75.0, 6),
        ({"utilization": "50%"}, 0.8, 7),
    ],
    ids=["per replica", "per replica, even", "value", "utilization"],
)
def test_metric_proposes_by_its_target(
    target: dict[str, Any], reading: float, replicas: int
) -> None:
    decision = decide(policy(metrics=[metric(**target)]), seen(metrics={"tickets": reading}), OLD)
    assert (decision.replicas, decision.reason) == (replicas, "CustomMetric")


def test_largest_proposal_wins() -> None:
    spec = policy(metrics=[metric("a", perReplica=10), metric("b", perReplica=10)])
    decision = decide(spec, seen(metrics={"a": 45.0, "b": 62.0}), OLD)
    assert (decision.replicas, decision.reason) == (7, "CustomMetric")
    assert "b 62 at 10 a replica needs 7 replicas" in decision.message


def test_metric_and_signals_together_take_the_larger() -> None:
    spec = policy(metrics=[metric(perReplica=10)], demand=FAST)
    work = seen(active_requests=40.0, metrics={"tickets": 30.0})
    assert decide(spec, work, OLD).reason == "Demand"
    assert decide(spec, seen(metrics={"tickets": 90.0}), OLD).reason == "CustomMetric"


def test_metrics_alone_decide_where_signals_are_not_mentioned() -> None:
    bare = policy(metrics=[metric(perReplica=10)], demand=None)
    only = type(bare).model_validate(
        {"scaleTargetRef": {"name": "a"}, "metrics": [metric(perReplica=10)]}
    )
    assert bare.sizing is not None
    assert only.sizing is None
    assert decide(only, seen(metrics={"tickets": 61.0}), OLD).replicas == 7
    # Down at the default pace of demand, and only after its window.
    assert decide(only, seen(replicas=8, metrics={"tickets": 11.0}), OLD).replicas == 6


def test_unknown_metric_holds_but_a_known_one_may_add() -> None:
    spec = policy(metrics=[metric("a", perReplica=10), metric("b", perReplica=10)])
    held = decide(spec, seen(metrics={"a": 5.0, "b": UNKNOWN}), OLD)
    grown = decide(spec, seen(metrics={"a": 55.0, "b": UNKNOWN}), OLD)
    assert (held.replicas, grown.replicas) == (4, 6)


def alone(*metrics: dict[str, Any]) -> PolicySpec:
    """Give a policy of which metrics alone decide, down to zero."""
    return parse_spec({"scaleTargetRef": {"name": "a"}, "minReplicas": 0, "metrics": [*metrics]})


def test_metrics_alone_need_no_replica_while_there_is_nothing() -> None:
    spec = alone(metric(perReplica=10))
    assert decide(spec, seen(replicas=1, metrics={"tickets": 0.0}), OLD).replicas == 0


@pytest.mark.parametrize(
    ("target", "reading"),
    [({"perReplica": "1G"}, 100.0), ({"value": "1G"}, 100.0)],
    ids=["per replica", "level"],
)
def test_least_work_needs_a_replica(target: dict[str, str], reading: float) -> None:
    """100 of the 10^9 that one replica takes were rounded to none, and never served."""
    asleep = seen(replicas=0, metrics={"tickets": reading})
    assert decide(alone(metric(**target)), asleep, OLD).replicas == 1


def test_need_is_not_told_lower_than_the_count_while_one_metric_is_unknown() -> None:
    """Else the window would remember a need that nobody knows, and shrink to it later."""
    spec = alone(metric("a", perReplica=10), metric("b", perReplica=10))
    decision = decide(spec, seen(replicas=4, metrics={"a": 5.0, "b": UNKNOWN}), OLD)
    assert decision.memory.advices[-1].replicas == 4


def test_no_known_metric_holds() -> None:
    only = policy(metrics=[metric(perReplica=10)])
    decision = decide(only, seen(metrics={"tickets": UNKNOWN}), OLD)
    assert decision.replicas == 4


def test_level_begins_with_one_replica_when_none_is_ready() -> None:
    spec = policy(metrics=[metric(value="50")], minReplicas=0)
    assert decide(spec, seen(replicas=0, metrics={"tickets": 120.0}), OLD).replicas == 1


def test_level_that_is_met_by_one_replica_needs_no_second() -> None:
    spec = policy(metrics=[metric(value="50")], minReplicas=0)
    assert decide(spec, seen(replicas=1, metrics={"tickets": 50.0}), OLD).replicas == 1


def test_threshold_and_metric_take_the_larger() -> None:
    spec = threshold(metrics=[metric(utilization="50%")])
    decision = decide(spec, seen(active_requests=16.0, metrics={"tickets": 1.0}), OLD)
    assert decision.replicas == 8
    assert "a utilization of 50%" in decision.message


def test_metric_of_a_level_says_its_level() -> None:
    spec = policy(metrics=[metric(value="50")])
    assert "a level of 50" in decide(spec, seen(metrics={"tickets": 120.0}), OLD).message


def test_closed_gate_adds_nothing() -> None:
    spec = policy(gates=GATES)
    closed = decide(spec, seen(active_requests=40.0, gates={"database": 0.91}), OLD)
    opened = decide(spec, seen(active_requests=40.0, gates={"database": 0.9}), OLD)
    assert (closed.replicas, closed.reason) == (4, "GateClosed")
    assert opened.replicas == 8
    assert closed.hint.endswith("if gate database were open")


def test_closed_gate_forbids_no_removing() -> None:
    spec = policy(gates=GATES)
    assert decide(spec, seen(gates={"database": 0.99}), OLD).replicas == 3


def test_gate_may_close_below_a_limit() -> None:
    spec = policy(gates=[{"name": "tokens", "query": "left", "below": "10%"}])
    decision = decide(spec, seen(active_requests=40.0, gates={"tokens": 0.05}), OLD)
    assert "0.05 is below 10%" in decision.message


def test_unknown_gate_stays_open() -> None:
    spec = policy(gates=GATES)
    assert decide(spec, seen(active_requests=40.0, gates={"database": UNKNOWN}), OLD).replicas == 8


def test_gate_with_a_lower_limit_is_open_from_there_on() -> None:
    spec = policy(gates=[{"name": "tokens", "query": "left", "below": "10%"}])
    for left, replicas in ((0.1, 8), (0.5, 8), (0.09, 4)):
        busy = seen(active_requests=40.0, gates={"tokens": left})
        assert decide(spec, busy, OLD).replicas == replicas


def test_sentence_tells_the_limit_of_the_gate_and_how_far_it_is_off() -> None:
    full = decide(
        policy(gates=GATES), seen(active_requests=40.0, gates={"database": 0.95}), OLD
    ).message
    assert "gate database is closed: 0.95 is above 90%" in full
    spec = policy(gates=[{"name": "tokens", "query": "left", "below": "10%"}])
    spent = decide(spec, seen(active_requests=40.0, gates={"tokens": 0.05}), OLD).message
    assert "gate tokens is closed: 0.05 is below 10%" in spent


def test_closed_gate_is_not_told_of_where_nothing_would_be_added() -> None:
    busy = seen(active_requests=16.0, wait=0.0, gates={"database": 0.95})
    calm = decide(policy(gates=GATES), busy, OLD)
    assert calm.replicas == 4
    assert "gates" not in {step.name for step in calm.steps}
