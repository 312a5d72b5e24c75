"""What an HPA asks for, and what becomes of it."""

import re
from typing import Any

import pytest

from agentscaler.errors import UnconvertibleError
from tests.unit.convert.sources import (
    Document,
    convert,
    converted,
    lost_by,
    metric_of,
    notes_of,
)

TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "research"}


def hpa(*metrics: Document, **more: Any) -> Document:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "research"},
        "spec": {"scaleTargetRef": TARGET, "maxReplicas": 5, "metrics": list(metrics), **more},
    }


def external(name: str = "tasks", **target: str) -> Document:
    return {"type": "External", "external": {"metric": {"name": name}, "target": target}}


def refusal(body: Document) -> tuple[str, str]:
    with pytest.raises(UnconvertibleError) as refused:
        convert(body)
    return ".".join(str(part) for part in refused.value.path), str(refused.value)


def test_hpa_keeps_its_name_target_and_bounds() -> None:
    policy = converted("hpa-every-metric.yaml").policy
    assert policy["metadata"] == {"name": "research", "namespace": "agents"}
    assert policy["spec"]["scaleTargetRef"]["kind"] == "StatefulSet"
    assert (policy["spec"]["minReplicas"], policy["spec"]["maxReplicas"]) == (2, 12)


def test_hpa_without_metrics_keeps_eighty_percent_of_cpu() -> None:
    result = converted("hpa-plain.yaml")
    assert metric_of(result, "cpu")["target"] == {"utilization": "80%"}
    assert result.policy["spec"]["minReplicas"] == 1  # what an HPA takes by itself
    assert "namespace=" not in metric_of(result, "cpu")["query"]


def test_utilization_is_use_over_requests_of_the_targets_pods() -> None:
    metric = metric_of(converted("hpa-every-metric.yaml"), "cpu")
    used, asked = metric["query"].split(" / ")
    pods = 'namespace="agents",pod=~"research-[0-9]+"'
    assert used == (f'sum(rate(container_cpu_usage_seconds_total{{{pods},container!=""}}[2m]))')
    assert asked == f'sum(kube_pod_container_resource_requests{{{pods},resource="cpu"}})'
    assert metric["target"] == {"utilization": "60%"}


@pytest.mark.parametrize(
    ("kind", "own", "foreign"),
    [
        (
            "Deployment",
            ["research-6d4cf56db6-x7x9z", "research-68b9-tq2wk"],
            ["research-db-0", "research-agent-x7x9z", "research-job-abcde",
             "research-worker-6d4cf56db6-x7x9z", "research-6d4cf56db6-x7x9"],
        ),
        (
            "StatefulSet",
            ["research-0", "research-12"],
            ["research-db-0", "research-6d4cf56db6-x7x9z", "research-x"],
        ),
    ],
    ids=["Deployment", "StatefulSet"],
)  # fmt: skip
def test_pods_of_the_target_are_told_from_those_of_names_that_begin_alike(
    kind: str, own: list[str], foreign: list[str]
) -> None:
    result = convert(hpa(scaleTargetRef={**TARGET, "kind": kind}))
    (pattern,) = set(re.findall(r'pod=~"([^"]+)"', metric_of(result, "cpu")["query"]))
    matched = [name for name in [*own, *foreign] if re.fullmatch(pattern, name)]
    assert matched == own


def test_container_resource_counts_that_container_on_both_sides() -> None:
    query = metric_of(converted("hpa-every-metric.yaml"), "cpu-2")["query"]
    assert query.count('container="agent"') == 2


def test_average_of_memory_is_an_amount_a_replica() -> None:
    metric = metric_of(converted("hpa-every-metric.yaml"), "memory")
    assert metric["query"].startswith("sum(container_memory_working_set_bytes{")
    assert metric["target"] == {"perReplica": "500Mi"}


def test_metrics_of_an_adapter_are_summed_over_what_they_name() -> None:
    result = converted("hpa-every-metric.yaml")
    pods, ingress, queue = (
        metric_of(result, name)
        for name in ("sessions-open", "requests-per-second", "queue-messages-ready")
    )
    assert pods["query"] == 'sum(sessions_open{namespace="agents",pod=~"research-[0-9]+"})'
    assert pods["target"] == {"perReplica": "8"}
    assert ingress["query"] == 'sum(requests_per_second{ingress="main-route"})'
    assert ingress["target"] == {"value": "2k"}
    assert queue["query"] == (
        'sum(queue_messages_ready{queue="worker_tasks",'
        'app_kubernetes_io_part_of=~"research|v1[.]2",retired="",shard!="",env!~"test"})'
    )
    assert "renames it or makes a rate of it" in notes_of(result)["spec.metrics[5].external"]


def test_pace_is_told_where_it_differs() -> None:
    told = notes_of(converted("hpa-every-metric.yaml"))
    assert "100% in 15s, 4 in 15s becomes at most 100%" in told["spec.behavior.scaleUp.policies"]
    down = told["spec.behavior.scaleDown.stabilizationWindowSeconds"]
    assert down.startswith("60s becomes 5m")
    assert "spec.behavior.scaleUp.stabilizationWindowSeconds" in told
    assert {
        "spec.behavior.scaleUp.tolerance",
        "spec.behavior.scaleDown.selectPolicy",
    } == lost_by(converted("hpa-every-metric.yaml"))


def test_pace_that_is_the_same_is_not_told() -> None:
    same = {"scaleDown": {"stabilizationWindowSeconds": 300}}
    told = notes_of(convert(hpa(external(type="Value", value="5"), behavior=same)))
    assert not [field for field in told if "behavior" in field]


def test_what_has_no_counterpart_is_named_and_the_rest_is_kept() -> None:
    result = converted("hpa-partly-lost.yaml")
    assert [metric["name"] for metric in result.policy["spec"]["metrics"]] == ["writer-tasks"]
    told = notes_of(result)
    assert "ephemeral-storage has no usual series" in told["spec.metrics[0].resource"]
    assert "1% to 100%" in told["spec.metrics[1].resource"]
    assert "packets-per-second is no name of a series" in told["spec.metrics[2].pods"]
    assert len(lost_by(result)) == 3


def test_equal_names_are_told_apart() -> None:
    twice = [external(type="Value", value=value) for value in ("5", "6", "7")]
    names = [metric["name"] for metric in convert(hpa(*twice)).policy["spec"]["metrics"]]
    assert names == ["tasks", "tasks-2", "tasks-3"]


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        (hpa(external(name="a|b", type="Value", value="1")), "spec.metrics", "none can be"),
        (hpa(external(type="AverageValue")), "spec.metrics.0.external.target", "needs its amount"),
        (hpa({"type": "Pods"}), "spec.metrics.0.pods", "type Pods needs it"),
        (hpa({"type": "Disk"}), "spec.metrics.0.type", "input should be"),
        (
            hpa(external(type="Value", value="a lot")),
            "spec.metrics.0.external.target.value",
            "is no quantity",
        ),
        (
            hpa(external(type="Value", value="0")),
            "spec.metrics.0.external.target.value",
            "must be greater than 0",
        ),
        (hpa(external(type="Value", value="1"), maxReplicas=0), "", "spec.maxReplicas"),
        (hpa(external(type="Value", value="1"), maxReplicas=None), "spec.maxReplicas", "integer"),
        (
            {**hpa(), "metadata": {"name": "a", "labels": {"scaledobject.keda.sh/name": "b"}}},
            "metadata.labels",
            "convert its ScaledObject b",
        ),
        ({**hpa(), "apiVersion": "autoscaling/v1"}, "apiVersion", "hpa.v2.autoscaling"),
    ],
    ids=[
        "nothing left", "no amount", "no part", "unknown type", "no quantity", "zero",
        "maximum zero", "no maximum", "made by KEDA", "older version",
    ],
)  # fmt: skip
def test_hpa_that_no_policy_can_stand_for_is_refused(body: Document, field: str, said: str) -> None:
    where, message = refusal(body)
    assert where == field
    assert said in message
