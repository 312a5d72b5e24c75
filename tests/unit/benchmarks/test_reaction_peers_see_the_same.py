"""KEDA is asked for the same work: the same load, the same replicas for it."""

from math import ceil

import pytest

from agentscaler import conventions
from agentscaler.api.policy import PolicySpec
from agentscaler.quantities import parse_duration
from tests.benchmarks.reaction.contenders import Ours
from tests.benchmarks.reaction.keda import DEFAULTS, TUNED, Keda
from tests.benchmarks.reaction.loads import FIRST_LOAD, FIRST_REPLICAS, GROWTH

KEDA = Keda("KEDA", DEFAULTS, (100,), (15,), "http://prometheus")
OURS = Ours((100,), (15, 5, 1))


def trigger() -> dict[str, str]:
    document = KEDA.document("agent-1", "bench", 15)
    metadata: dict[str, str] = document["spec"]["triggers"][0]["metadata"]
    return metadata


def test_query_is_of_this_agent_alone() -> None:
    assert trigger()["query"] == (
        f'sum({conventions.ACTIVE_REQUESTS}{{namespace="bench",agent="agent-1"}})'
    )


def test_first_replicas_are_just_enough_and_a_step_needs_more() -> None:
    each = float(trigger()["threshold"])
    assert ceil(FIRST_LOAD / each) == FIRST_REPLICAS
    # The HPA does nothing within a tenth of its target.
    assert GROWTH * FIRST_LOAD / (FIRST_REPLICAS * each) > 1.1


@pytest.mark.parametrize("interval", [15, 5, 1])
def test_our_policy_is_valid_and_polls_as_it_is_told(interval: int) -> None:
    document = OURS.document("agent-1", "bench", interval)
    spec = PolicySpec.model_validate(document["spec"])
    assert spec.polling_interval == parse_duration(f"{interval}s")
    assert spec.sizing.target_utilization == pytest.approx(0.7)  # type: ignore[union-attr]


def test_policy_is_evaluated_once_its_newest_spec_was_read() -> None:
    body = {"metadata": {"generation": 2}, "status": {"observedGeneration": 1}}
    assert not OURS.is_evaluated(body)
    assert not OURS.is_evaluated({"metadata": {"generation": 1}})
    assert OURS.is_evaluated({**body, "status": {"observedGeneration": 2}})


def test_scaled_object_is_evaluated_once_its_metric_was_read() -> None:
    conditions = [{"type": "AbleToScale", "status": "True"}]
    assert not KEDA.is_evaluated({"status": {"conditions": conditions}})
    conditions.append({"type": "ScalingActive", "status": "True"})
    assert KEDA.is_evaluated({"status": {"conditions": conditions}})


def test_limits_are_those_of_a_default_installation_or_none_to_speak_of() -> None:
    assert DEFAULTS.rate == ("--kube-api-qps=20", "--kube-api-burst=30")
    assert TUNED.rate == ("--kube-api-qps=1000", "--kube-api-burst=2000")
