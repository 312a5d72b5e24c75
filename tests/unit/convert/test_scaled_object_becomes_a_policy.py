"""What a ScaledObject asks for, and what becomes of it."""

from dataclasses import replace
from typing import Any

import pytest

from agentscaler.api.policy import parse_spec
from agentscaler.decide.engine import decide
from agentscaler.errors import UnconvertibleError
from tests.unit.convert.sources import (
    Document,
    convert,
    converted,
    documents,
    lost_by,
    metric_of,
    notes_of,
)
from tests.unit.decide.worlds import OLD, UNKNOWN, seen

SERVER = "http://prometheus.monitoring:9090"
FULL = "keda-prometheus.yaml"


def scaled_object(*triggers: Document, **more: Any) -> Document:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "research"},
        "spec": {"scaleTargetRef": {"name": "research"}, "triggers": list(triggers), **more},
    }


def trigger(kind: str = "prometheus", **metadata: Any) -> Document:
    return {"type": kind, "metadata": metadata}


TASKS = trigger(serverAddress=SERVER, query="sum(tasks)", threshold="10")


def test_scaled_object_has_kedas_defaults() -> None:
    spec = converted("keda-defaults.yaml").policy["spec"]
    assert spec["scaleTargetRef"]["kind"] == "Rollout"
    assert (spec["minReplicas"], spec["maxReplicas"]) == (0, 100)
    assert "pollingInterval" not in spec
    assert spec["fallback"] == {"afterFailures": 3, "behavior": "Static", "replicas": 6}


def test_prometheus_trigger_becomes_a_metric() -> None:
    result = converted(FULL)
    assert result.policy["spec"]["prometheus"] == {"serverAddress": SERVER}
    assert metric_of(result, "backlog") == {
        "name": "backlog",
        "query": 'sum(rate(http_requests_total{deployment="research"}[2m]))',
        "target": {"perReplica": "100.5"},
        "emptyResult": "Zero",
    }


def test_empty_result_is_unknown_where_keda_does_not_ignore_it() -> None:
    metric = metric_of(converted(FULL), "trigger-1")
    assert metric["target"] == {"value": "600"}
    assert metric["query"] == 'max(oldest_task_seconds{queue="research"})'
    assert "emptyResult" not in metric


def test_bounds_and_interval_are_kept_and_idle_is_the_minimum() -> None:
    spec = converted(FULL).policy["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (0, 40)
    assert spec["pollingInterval"] == "20s"
    assert "fewer than 2" in notes_of(converted(FULL))["spec.idleReplicaCount"]


def test_cron_trigger_becomes_a_schedule() -> None:
    assert converted(FULL).policy["spec"]["schedules"] == [
        {
            "name": "trigger-3",
            "timezone": "Europe/Berlin",
            "start": "0 7 * * 1-5",
            "end": "0 20 * * 1-5",
            "minReplicas": 10,
        }
    ]


@pytest.mark.parametrize(
    ("desired", "fewest", "said"),
    [
        ("30", 10, "30 becomes 10, maxReplicaCount"),
        ("10", 10, ""),
        ("4", 4, ""),
        ("1", 3, "1 becomes 3, minReplicaCount"),
    ],
    ids=["above the maximum", "the maximum", "between", "below the minimum"],
)
def test_cron_trigger_stays_within_the_bounds(desired: str, fewest: int, said: str) -> None:
    day = trigger(
        "cron", timezone="UTC", start="0 7 * * *", end="0 8 * * *", desiredReplicas=desired
    )
    result = convert(scaled_object(TASKS, day, minReplicaCount=3, maxReplicaCount=10))
    assert result.policy["spec"]["schedules"][0]["minReplicas"] == fewest
    told = notes_of(result).get("spec.triggers[1].metadata.desiredReplicas", "")
    assert told.startswith(said)
    assert bool(told) is bool(said)


def test_cpu_and_memory_triggers_become_metrics() -> None:
    result = converted(FULL)
    assert metric_of(result, "cpu")["target"] == {"utilization": "60%"}
    memory = metric_of(result, "memory")
    assert memory["target"] == {"perReplica": "1Gi"}
    assert 'container="agent"' in memory["query"]


@pytest.mark.parametrize(
    ("kind", "old", "target"),
    [
        ("cpu", {"type": "Utilization", "value": "60"}, {"utilization": "60%"}),
        ("memory", {"type": "AverageValue", "value": "1Gi"}, {"perReplica": "1Gi"}),
    ],
)
def test_resource_trigger_may_have_its_type_where_keda_had_it_before_2_18(
    kind: str, old: dict[str, str], target: dict[str, str]
) -> None:
    result = convert(scaled_object(trigger(kind, **old)))
    assert metric_of(result, kind)["target"] == target


def test_fleet_that_only_its_own_pods_can_wake_keeps_one() -> None:
    for body in documents("keda-holds.yaml"):
        result = convert(body)
        assert result.policy["spec"]["minReplicas"] == 1
        assert "without a pod" in notes_of(result)["spec.triggers"]


def test_what_has_no_counterpart_is_named() -> None:
    assert lost_by(converted(FULL)) == {
        "metadata.annotations.autoscaling.keda.sh/paused-replicas",
        "spec.advanced.restoreToOriginalReplicaCount",
        "spec.initialCooldownPeriod",
        "spec.triggers[0].authenticationRef",
        "spec.triggers[0].metadata.activationThreshold",
        "spec.triggers[0].metadata.customHeaders",
        "spec.triggers[2].metadata.serverAddress",
        "spec.triggers[6].type",
    }
    told = notes_of(converted(FULL))
    assert "rabbitmq cannot be translated" in told["spec.triggers[6].type"]
    assert "mode: Paused" in told["metadata.annotations.autoscaling.keda.sh/paused"]
    assert "5m while metrics alone decide" in told["spec.cooldownPeriod"]


def test_pace_of_kedas_own_hpa_is_told() -> None:
    field = "spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown.policies"
    assert "100% in 15s becomes at most 25%" in notes_of(converted(FULL))[field]


@pytest.mark.parametrize(
    ("behavior", "written"),
    [
        ("static", {"afterFailures": 3, "behavior": "Static", "replicas": 6}),
        ("currentReplicas", {"afterFailures": 3, "behavior": "Hold"}),
        ("currentReplicasIfHigher", {"afterFailures": 3, "behavior": "AtLeast", "replicas": 6}),
        ("currentReplicasIfLower", None),
    ],
)
def test_fallback_is_kept_where_there_is_one_like_it(behavior: str, written: object) -> None:
    result = convert(scaled_object(TASKS, fallback={"replicas": 6, "behavior": behavior}))
    assert result.policy["spec"].get("fallback") == written
    assert ("spec.fallback.behavior" in lost_by(result)) is (written is None)


def test_fallback_of_several_triggers_cuts_nothing_that_one_of_them_needs() -> None:
    second = trigger(serverAddress=SERVER, query="sum(mails)", threshold="10")
    result = convert(scaled_object(TASKS, second, fallback={"replicas": 6}))
    written = {"afterFailures": 3, "behavior": "AtLeast", "replicas": 6}
    assert result.policy["spec"]["fallback"] == written
    assert "AtLeast" in notes_of(result)["spec.fallback.behavior"]
    broken = seen(replicas=30, metrics={"trigger-0": 300.0, "trigger-1": UNKNOWN})
    spec = parse_spec(result.policy["spec"])
    assert decide(spec, broken, replace(OLD, failures=5)).replicas == 30


def test_fallback_stays_fixed_where_the_only_metric_left_is_unknown() -> None:
    result = convert(scaled_object(TASKS, trigger("kafka"), fallback={"replicas": 6}))
    assert result.policy["spec"]["fallback"]["behavior"] == "Static"
    assert "spec.fallback.behavior" not in notes_of(result)


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        (
            scaled_object(
                TASKS, advanced={"scalingModifiers": {"formula": "a + b", "target": "5"}}
            ),
            "spec.advanced.scalingModifiers.formula",
            "no formulas",
        ),
        (scaled_object(trigger("kafka")), "spec.triggers", "(kafka)"),
        (scaled_object(), "spec.triggers", "(none given)"),
        (
            scaled_object(trigger(serverAddress=SERVER, threshold="1")),
            "spec.triggers.0.metadata.query",
            "is missing",
        ),
        (
            scaled_object(trigger(serverAddress=SERVER, query="a", threshold="lots")),
            "spec.triggers.0.metadata.threshold",
            "is no quantity",
        ),
        (
            scaled_object(trigger(serverAddress=SERVER, query="a", threshold=5)),
            "spec.triggers.0.metadata.threshold",
            "valid string",
        ),
        (
            scaled_object(TASKS, trigger("cron", start="0 7 * * *", end="0 8 * * *")),
            "spec.triggers.1.metadata.timezone",
            "a cron trigger needs it",
        ),
        (
            scaled_object(
                TASKS,
                trigger(
                    "cron", timezone="UTC", start="0 7 * * *", end="0 8 * * *", desiredReplicas="a"
                ),
            ),
            "spec.triggers.1.metadata.desiredReplicas",
            "'a' is no whole number",
        ),
        (scaled_object(trigger("cpu")), "spec.triggers.0.metadata.value", "cpu needs it"),
        (
            scaled_object(trigger("cpu", value="60")),
            "spec.triggers.0.metricType",
            "is missing: write Utilization (percent of what is requested) or AverageValue",
        ),
        (
            scaled_object({**trigger("memory", value="1Gi"), "metricType": "Value"}),
            "spec.triggers.0.metricType",
            "Value is none that memory can have: write Utilization",
        ),
        (
            scaled_object(trigger(serverAddress="prometheus", query="a", threshold="1")),
            "",
            "spec.prometheus.serverAddress",
        ),
    ],
    ids=[
        "formula", "nothing left", "no triggers", "no query", "no quantity", "no text",
        "cron without zone", "cron without count", "cpu without value",
        "cpu without type", "memory of another type", "no address",
    ],
)  # fmt: skip
def test_scaled_object_that_no_policy_can_stand_for_is_refused(
    body: Document, field: str, said: str
) -> None:
    with pytest.raises(UnconvertibleError) as refused:
        convert(body)
    assert ".".join(str(part) for part in refused.value.path) == field
    assert said in str(refused.value)
