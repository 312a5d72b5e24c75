"""What will disappoint in a valid policy: each trap, its way out, and its innocent neighbour."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agentscaler.analyze import pitfalls, timetables
from agentscaler.api.policy import parse_spec

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
METRIC = {"name": "tickets", "query": "sum(tickets)", "target": {"perReplica": 20}}
DAY = {"name": "day", "start": "0 7 * * *", "end": "0 20 * * *", "minReplicas": 8}
NOON = {"name": "noon", "start": "0 12 * * *", "end": "0 13 * * *", "maxReplicas": 4}


def told(**spec: Any) -> list[str]:
    parsed = parse_spec({"scaleTargetRef": {"name": "research"}, **spec})
    checks = (*pitfalls.CHECKS, *timetables.CHECKS)
    return [str(problem) for look in checks for problem in look(parsed, NOW)]


WAIT = {"signals": {"latency": {"metric": "agent_request_wait_seconds", "measures": "Wait"}}}
VLLM = {"preset": "vllm", "capacity": {"perReplica": 64}}

TRAPS: dict[str, tuple[dict[str, Any], str, str]] = {
    "slow model": ({"threshold": {}}, "spec.threshold.scaleUp.latency", "measure the wait"),
    "cooldown of a moment": (
        {**WAIT, "threshold": {"scaleDown": {"cooldown": "5s"}}},
        "spec.threshold.scaleDown.cooldown",
        "5s has no effect, for decisions are 15s apart: raise it, or set 0s",
    ),
    "cooldown of a moment in demand": (
        {"demand": {"scaleUp": {"cooldown": "5s"}}},
        "spec.demand.scaleUp.cooldown",
        "has no effect",
    ),
    "step of nothing": (
        {"demand": {"scaleUp": {"maxStep": 0}}},
        "spec.demand.scaleUp.maxStep",
        "set at least 1, or a share like 25%",
    ),
    "forecast of a moment": (
        {"prediction": {"lookahead": "10s"}},
        "spec.prediction.lookahead",
        "use Auto, or the time that a new replica needs",
    ),
    "one season": (
        {"prediction": {"history": "1d"}},
        "spec.prediction.history",
        "set at least 2d",
    ),
    "drain by a sum": (
        {"drain": {}, "signals": {"activeRequests": {"query": "sum(busy)"}}},
        "spec.drain.activeRequestsPerPod.metric",
        "name a gauge that has a series for each pod",
    ),
    "equal bounds": (
        {"minReplicas": 4, "maxReplicas": 4},
        "spec.maxReplicas",
        "raise maxReplicas, or set mode: Paused",
    ),
    "nothing wakes": (
        {"minReplicas": 0, "signals": VLLM},
        "spec.minReplicas",
        "give signals.queueDepth a query",
    ),
    "capacity unknown": (
        {"signals": {"preset": "vllm"}},
        "spec.signals.preset",
        "set signals.capacity.perReplica",
    ),
    "budget for less than the minimum": (
        {"minReplicas": 5, "limits": {"budget": {"replicaHourCost": "1", "hard": "100"}}},
        "spec.limits.budget.hard",
        "minReplicas alone cost 120 in 1d: raise hard, or lower minReplicas",
    ),
    "budget for more than the maximum": (
        {"limits": {"budget": {"replicaHourCost": "0.5", "hard": "120"}}},
        "spec.limits.budget.hard",
        "is never reached: maxReplicas cost 120 in 1d",
    ),
    "phantoms of a moment": (
        {"limits": {"phantomAfter": "30s"}},
        "spec.limits.phantomAfter",
        "set more than the longest request takes",
    ),
    "fallback outside": (
        {"fallback": {"behavior": "Static", "replicas": 30}},
        "spec.fallback.replicas",
        "choose a number between them",
    ),
    "series per pod": (
        {"metrics": [METRIC | {"query": "(rate(tickets[5m]))"}]},
        "spec.metrics[0].query",
        "wrap it in sum(...), max(...) or avg(...)",
    ),
    "count for a ratio": (
        {"metrics": [METRIC | {"target": {"utilization": "80%"}}]},
        "spec.metrics[0].query",
        "divide it by its maximum, or use target.perReplica",
    ),
    "count at a gate": (
        {"gates": [{"name": "db", "query": "sum(connections)", "above": "90%"}]},
        "spec.gates[0].query",
        "divide it by its maximum",
    ),
    "gate that locks itself": (
        {
            "metrics": [METRIC | {"query": "sum(usage)"}],
            "gates": [{"name": "db", "query": "sum( usage )", "above": "90%"}],
        },
        "spec.gates[0].query",
        "watch what the replicas strain",
    ),
    "override that is over": (
        {"override": {"replicas": 2, "until": "2026-11-24T06:00:00Z"}},
        "spec.override.until",
        "remove the override, or set a later end",
    ),
    "schedule above": (
        {"schedules": [DAY | {"minReplicas": 20}]},
        "spec.schedules[0].minReplicas",
        "meanwhile exactly 20 replicas run; give the schedule a maxReplicas too",
    ),
    "schedule below": (
        {"minReplicas": 6, "schedules": [NOON]},
        "spec.schedules[0].maxReplicas",
        "meanwhile exactly 4 replicas run; give the schedule a minReplicas too",
    ),
    "schedules that cross": (
        {"schedules": [DAY, NOON]},
        "spec.schedules[0].minReplicas",
        "is above maxReplicas of schedule noon",
    ),
}


@pytest.mark.parametrize(("spec", "field", "fix"), TRAPS.values(), ids=TRAPS.keys())
def test_trap_is_told_with_field_and_fix(spec: dict[str, Any], field: str, fix: str) -> None:
    (said,) = told(**spec)
    assert said.startswith(f"{field}: ")
    assert fix in said


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {**WAIT, "threshold": {}},
        {"threshold": {"scaleUp": {"latency": "2m"}}},
        {"demand": {"scaleUp": {"cooldown": "0s", "maxStep": "1%"}}},
        {"prediction": {"mode": "Off", "lookahead": "1s", "history": "1h"}},
        {"prediction": {"lookahead": "15s", "history": "2h", "season": "1h"}},
        {"minReplicas": 4, "maxReplicas": 4, "schedules": [DAY | {"maxReplicas": 9}]},
        {"minReplicas": 0},
        {"drain": {"protectBusy": False}, "signals": {"activeRequests": {"query": "sum(busy)"}}},
        {
            "drain": {"activeRequestsPerPod": {"metric": "busy"}},
            "signals": {"activeRequests": {"query": "sum(busy)"}},
        },
        {"minReplicas": 0, "signals": VLLM | {"queueDepth": {"query": "sum(queue)"}}},
        {"minReplicas": 0, "signals": VLLM, "metrics": [METRIC]},
        {"metrics": [METRIC]},
        {"metrics": [METRIC | {"query": "scalar(sum(a))"}]},
        {"metrics": [METRIC | {"query": "sum(a) / sum(b)", "target": {"utilization": "80%"}}]},
        {"metrics": [METRIC | {"query": "sum(", "target": {"utilization": "80%"}}]},
        {
            "metrics": [METRIC],
            "gates": [{"name": "db", "query": "max(usage_ratio)", "above": "90%"}],
        },
        {"limits": {"budget": {"replicaHourCost": "0.5", "hard": "100"}}},
        {"fallback": {"behavior": "AtLeast", "replicas": 5}},
        {"override": {"replicas": 2, "until": "2026-11-24T06:00:01Z"}},
        {"schedules": [DAY, NOON | {"start": "0 21 * * *", "end": "0 22 * * *"}]},
        {"schedules": [DAY, NOON | {"maxReplicas": 8}]},
        {"schedules": [DAY | {"start": "* * * * *"}]},
    ],
)
def test_innocent_policy_is_left_alone(spec: dict[str, Any]) -> None:
    assert told(**spec) == []


def test_custom_metrics_alone_have_no_pace_to_warn_of() -> None:
    assert told(metrics=[METRIC], pollingInterval="10m", prediction={"mode": "Off"}) == []


def test_queries_of_providers_are_judged_like_all_others() -> None:
    providers = [{"name": "a"}, {"name": "b", "rateLimitedRatio": {"query": "max(r)"}}]
    parsed = parse_spec({"scaleTargetRef": {"name": "x"}, "limits": {"providers": providers}})
    path = ("spec", "limits", "providers", 1, "rateLimitedRatio", "query")
    assert list(pitfalls.queries_of(parsed)) == [(path, "max(r)")]
