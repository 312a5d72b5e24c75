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
        (200, None, "200", "spec.template.spec.containerConcurrency"),
    ],
    ids=["hard limit", "soft limit", "no hard limit", "only a hard limit", "above the default"],
)
def test_smaller_limit_is_what_a_replica_serves(
    limit: int, target: str | None, slots: str, blamed: str
) -> None:
    result = convert(service({} if target is None else {"target": target}, limit))
    assert result.policy["spec"]["signals"] == {"capacity": {"perReplica": slots}}
    assert f"{slots} requests a replica" in notes_of(result)[blamed]


def test_default_target_is_not_said_to_be_an_annotation() -> None:
    told = notes_of(convert(service({})))
    assert AT + "target" not in told
    said = told["spec.template.spec.containerConcurrency"]
    assert said.startswith("is unlimited, and no target is given: Knative's default, 100 requests")


@pytest.mark.parametrize(
    ("limit", "target", "spec"),
    [(1, None, ("1", "100%")), (0, "0.5", ("1", "100%")), (2, None, ("2", "70%"))],
    ids=["one at a time", "less than one", "the share of two is above one"],
)
def test_replica_is_sized_for_one_request_at_least_as_knative_does(
    limit: int, target: str | None, spec: tuple[str, str]
) -> None:
    result = convert(service({} if target is None else {"target": target}, limit))
    found = result.policy["spec"]
    capacity, share = found["signals"]["capacity"], found["demand"]["targetUtilization"]
    assert (capacity["perReplica"], share) == spec
    assert ("aims at one or more" in str(result.notes)) is (share == "100%")


def test_rate_is_one_a_second_at_least_as_knative_has_it() -> None:
    result = convert(service({"metric": "rps", "target": "1"}))
    assert metric_of(result, "rps")["target"] == {"perReplica": "1"}


@pytest.mark.parametrize(
    ("annotations", "cooldown", "blamed"),
    [
        ({"scale_down_delay": "0s", "window": "10m"}, "10m", "window"),
        ({"scale_down_delay": "0s"}, "1m", "window"),
        ({"scale_down_delay": "15m", "window": "10m"}, "15m", "scale-down-delay"),
        ({"scale_down_delay": "15m"}, "15m", "scale-down-delay"),
    ],
    ids=["no delay", "no delay of the default", "longer delay", "delay of the default"],
)
def test_way_down_looks_back_over_the_longer_of_window_and_delay(
    annotations: dict[str, str], cooldown: str, blamed: str
) -> None:
    result = convert(service(annotations))
    assert result.policy["spec"]["demand"]["scaleDown"] == {"cooldown": cooldown}
    assert "becomes demand.scaleDown.cooldown" in notes_of(result)[AT + blamed]


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
