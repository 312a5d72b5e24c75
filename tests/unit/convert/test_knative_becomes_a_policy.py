"""What the annotations of a Knative Service ask for, and what becomes of them."""

from collections.abc import Mapping

import pytest

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

PREFIX = "autoscaling.knative.dev/"
AT = "spec.template.metadata.annotations." + PREFIX


def service(annotations: Mapping[str, str], limit: int = 0) -> Document:
    named = {PREFIX + name.replace("_", "-"): value for name, value in annotations.items()}
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "research"},
        "spec": {
            "template": {
                "metadata": {"annotations": named},
                "spec": {"containerConcurrency": limit},
            }
        },
    }


def test_service_without_annotations_has_knatives_defaults() -> None:
    result = converted("knative-defaults.yaml")
    spec = result.policy["spec"]
    assert spec["signals"] == {"capacity": {"perReplica": "100"}}
    assert spec["demand"] == {"targetUtilization": "70%", "scaleDown": {"cooldown": "1m"}}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (0, 10)
    assert "choose yours" in notes_of(result)[AT + "max-scale"]
    assert "only the gateway sees requests" in notes_of(result)[AT + "min-scale"]
    assert "a Deployment of the same name" in notes_of(result)["spec.template"]


def test_annotations_become_fields_in_either_spelling() -> None:
    result = converted("knative-concurrency.yaml")
    spec = result.policy["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 20)
    assert spec["demand"] == {"targetUtilization": "80%", "scaleDown": {"cooldown": "15m"}}
    assert lost_by(result) == {
        AT + "initial-scale", AT + "panic-window-percentage", AT + "panic-threshold-percentage",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "target", "slots", "blamed"),
    [
        (8, "12", "8", "spec.template.spec.containerConcurrency"),
        (12, "8", "8", AT + "target"),
        (0, "2.5", "2.5", AT + "target"),
        (4, None, "4", "spec.template.spec.containerConcurrency"),
    ],
    ids=["hard limit", "soft limit", "no hard limit", "only a hard limit"],
)
def test_smaller_limit_is_what_a_replica_serves(
    limit: int, target: str | None, slots: str, blamed: str
) -> None:
    result = convert(service({} if target is None else {"target": target}, limit))
    assert result.policy["spec"]["signals"] == {"capacity": {"perReplica": slots}}
    assert f"{slots} requests a replica" in notes_of(result)[blamed]


def test_requests_a_second_become_a_metric_at_the_target_share() -> None:
    result = converted("knative-rps.yaml")
    assert metric_of(result, "rps") == {
        "name": "rps",
        "query": 'sum(rate(agent_requests_received_total{agent="research"}[1m]))',
        "target": {"perReplica": "140"},  # 70 % of 200
    }
    spec = result.policy["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (12, 24)


def test_class_of_the_hpa_counts_cpu_or_memory() -> None:
    thinker, rememberer = (convert(body) for body in documents("knative-hpa-class.yaml"))
    assert metric_of(thinker, "cpu")["target"] == {"utilization": "80%"}
    assert metric_of(rememberer, "memory")["target"] == {"perReplica": "75Mi"}


def test_class_of_the_hpa_never_goes_to_zero() -> None:
    body = service({"class": "hpa.autoscaling.knative.dev", "target": "60"})
    result = convert(body)
    assert result.policy["spec"]["minReplicas"] == 1
    assert "without a pod" in notes_of(result)[AT + "min-scale"]
    assert metric_of(result, "cpu")["target"] == {"utilization": "60%"}


@pytest.mark.parametrize(
    ("annotations", "name", "said"),
    [
        ({"metric": "cpu"}, "metric", "cpu cannot be translated"),
        ({"min_scale": "-1"}, "min-scale", "'-1' is no whole number"),
        ({"target": "many"}, "target", "is no quantity"),
        ({"window": "1.5m"}, "window", "is no duration"),
        ({"target_utilization_percentage": "0"}, "target-utilization-percentage", "1 to 100"),
        ({"class": "hpa.x", "metric": "memory"}, "target", "memory needs it"),
        ({"class": "hpa.x", "target": "150"}, "target", "1% to 100%"),
    ],
    ids=["other metric", "count", "target", "window", "share", "no target", "above all"],
)
def test_annotation_that_no_policy_can_follow_is_refused(
    annotations: dict[str, str], name: str, said: str
) -> None:
    with pytest.raises(UnconvertibleError) as refused:
        convert(service(annotations))
    assert refused.value.path[-1] == PREFIX + name
    assert said in str(refused.value)
