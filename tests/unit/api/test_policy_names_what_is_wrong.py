"""A spec is read with its defaults, or refused with each field and the fix."""

from datetime import timedelta
from typing import Any

import pytest

from agentscaler.api.policy import Mode, Policy, parse_policy
from agentscaler.api.strategies import Demand, Threshold
from agentscaler.errors import InvalidPolicyError
from tests.unit.api.specs import GATE, METRIC, SCHEDULE, TARGET, parsed, problems


def test_shortest_policy_has_all_defaults() -> None:
    spec = parsed()
    assert (spec.min_replicas, spec.max_replicas, spec.mode) == (1, 10, Mode.AUTO)
    assert spec.scale_target_ref.kind == "Deployment"
    assert spec.polling_interval == timedelta(seconds=15)
    assert spec.prediction.lookahead is None
    assert isinstance(spec.sizing, Demand)


def test_strategy_in_force_is_the_one_written_down() -> None:
    assert isinstance(parsed(threshold={}).sizing, Threshold)
    assert parsed(metrics=[METRIC]).sizing is None
    assert isinstance(parsed(metrics=[METRIC], signals={}).sizing, Demand)
    assert isinstance(parsed(metrics=[METRIC], demand={}).sizing, Demand)


def test_policy_with_everything_is_read() -> None:
    spec = parsed(metrics=[METRIC], gates=[GATE], schedules=[SCHEDULE], fallback={})
    assert [each.name for each in spec.metrics] == ["tickets"]
    assert spec.gates[0].above == 0.9
    assert spec.schedules[0].timezone == "UTC"


def test_field_of_a_newer_crd_is_ignored() -> None:
    assert parsed(fieldOfTheFuture={"a": 1}) == parsed()


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"gates": [{"name": "a", "query": "b"}]}, "spec.gates[0]: set exactly one of above and below"),
    (
        {"minReplicas": 12},
        "spec: minReplicas must not exceed maxReplicas: lower minReplicas or raise maxReplicas",
    ),
    ({"mode": "Automatic"}, "spec.mode: input should be 'Auto', 'Recommend' or 'Paused'"),
    ({"scaleTargetRef": {}}, "spec.scaleTargetRef.name: field required"),
    (
        {"scaleTargetRef": TARGET | {"kind": "deployment"}},
        "spec.scaleTargetRef.kind: write the kind of the workload, such as Deployment",
    ),
    (
        {"scaleTargetRef": TARGET | {"apiVersion": "apps"}},
        "spec.scaleTargetRef.apiVersion: write group and version of the workload, such as apps/v1",
    ),
    (
        {"demand": {}, "threshold": {}},
        "spec: set demand or threshold, not both: demand sizes the fleet for its work, "
        "threshold acts on crossings",
    ),
    (
        {"prometheus": {"serverAddress": "thanos:9090"}},
        "spec.prometheus.serverAddress: write the address of a Prometheus API, such as "
        "http://thanos.monitoring:9090",
    ),
    (
        {"signals": {"queueDepth": {"query": "a", "metric": "a"}}},
        "spec.signals.queueDepth: set query or metric, not both: query is used as written, "
        "metric is read for all policies at once",
    ),
    (
        {"signals": {"capacity": {"perReplica": 4, "metric": "a"}}},
        "spec.signals.capacity: set one of perReplica, query and metric",
    ),
    (
        {"metrics": [METRIC | {"target": {}}]},
        "spec.metrics[0].target: set exactly one of perReplica, value and utilization",
    ),
    (
        {"metrics": [METRIC, METRIC]},
        "spec.metrics: name 'tickets' is used twice: give each item its own",
    ),
    (
        {"metrics": [METRIC | {"name": f"m{number}"} for number in range(11)]},
        "spec.metrics: must have at most 10 items",
    ),
    ({"gates": [GATE | {"below": "9%"}]}, "spec.gates[0]: set exactly one of above and below"),
    (
        {"limits": {"budget": {"replicaHourCost": "1", "soft": "2k", "hard": 120}}},
        "spec.limits.budget: soft must not exceed hard: growth is slowed first and ended then",
    ),
    (
        {"fallback": {"behavior": "Static"}},
        "spec.fallback: behavior Static and AtLeast need replicas: set fallback.replicas",
    ),
    (
        {"schedules": [SCHEDULE | {"minReplicas": None}]},
        "spec.schedules[0]: a schedule needs minReplicas, maxReplicas or both",
    ),
    (
        {"schedules": [SCHEDULE | {"maxReplicas": 1}]},
        "spec.schedules[0]: minReplicas must not exceed maxReplicas: lower minReplicas or raise "
        "maxReplicas",
    ),
    (
        {"schedules": [SCHEDULE | {"start": "0 7 * *"}]},
        "spec.schedules[0].start: write five fields, minute hour day month weekday, such as "
        "'0 7 * * 1-5'",
    ),
    (
        {"schedules": [SCHEDULE | {"end": "0 25 * * *"}]},
        "spec.schedules[0].end: bad hour: write five fields, minute hour day month weekday, such "
        "as '0 7 * * 1-5'",
    ),
    (
        {"schedules": [SCHEDULE | {"start": "0 0 30 2 *"}]},
        "spec.schedules[0].start: bad day-of-month: write five fields, minute hour day month "
        "weekday, such as '0 7 * * 1-5'",
    ),
    *(
        (
            {"schedules": [SCHEDULE | {"start": never}]},
            f"spec.schedules[0].start: {never!r} never comes: write days of the month and of the "
            "week that fall together, or leave one of them open with '*'",
        )
        for never in ("0 0 */31 * 1#5", "0 0 */16 * 5L", "0 0 LW * */6", "0 0 */31 2 1#5")
    ),
    *(
        (
            {"schedules": [SCHEDULE | {"timezone": zone}]},
            f"spec.schedules[0].timezone: '{zone}' is no time zone: write a name of the IANA "
            "list, such as Europe/Berlin",
        )
        for zone in ("Mars/Base", "Europe")
    ),
    (
        {"override": {"until": "2099-01-01T00:00:00Z"}},
        "spec.override: an override sets either replicas, or minReplicas and maxReplicas (one or "
        "both)",
    ),
]


@pytest.mark.parametrize(("spec", "problem"), REFUSED)
def test_bad_spec_is_refused_with_field_and_fix(spec: dict[str, Any], problem: str) -> None:
    assert problems(**spec) == (problem,)


@pytest.mark.parametrize(
    "rare",
    ["0 0 */30 * 1#5", "0 0 29 2 */7", "0 0 LW * 1#5", "0 0 L 2 */6", "0 0 30 2 1", "0 0 * 2 1#5"],
)
def test_time_that_comes_once_in_years_is_taken(rare: str) -> None:
    assert parsed(schedules=[SCHEDULE | {"start": rare}]).schedules[0].start == rare


def test_line_break_at_the_end_is_refused_as_the_api_server_does() -> None:
    (problem,) = problems(scaleTargetRef=TARGET | {"kind": "Deployment\n"})
    assert problem.startswith("spec.scaleTargetRef.kind: write the kind of the workload")


def test_all_problems_are_told_at_once() -> None:
    assert len(problems(mode="Automatic", pollingInterval="soon", maxReplicas=0)) == 3


def test_override_of_bounds_and_of_a_count_are_both_taken() -> None:
    until = "2099-01-01T00:00:00Z"
    bounds = parsed(override={"minReplicas": 2, "maxReplicas": 4, "until": until}).override
    count = parsed(override={"replicas": 0, "until": until}).override
    assert bounds is not None
    assert count is not None
    assert bounds.is_given
    assert not count.is_given


BODY: dict[str, Any] = {
    "metadata": {
        "namespace": "agents",
        "name": "research",
        "uid": "8f1d",
        "generation": 3,
        "creationTimestamp": "2026-11-24T06:00:00Z",
    },
    "spec": {"scaleTargetRef": TARGET},
}


def test_object_of_the_api_server_becomes_a_policy() -> None:
    policy = parse_policy(BODY)
    assert isinstance(policy, Policy)
    assert (policy.key, policy.generation) == ("agents/research", 3)
    assert policy.spec == parsed()


def test_object_without_a_spec_is_refused() -> None:
    with pytest.raises(InvalidPolicyError, match=r"spec\.scaleTargetRef: field required"):
        parse_policy({"metadata": BODY["metadata"]})
