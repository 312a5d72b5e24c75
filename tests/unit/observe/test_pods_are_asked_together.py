"""What each pod serves is asked for all agents at once, and what is not known stays unknown."""

from datetime import timedelta
from typing import Any

import pytest

from agentscaler.api.policy import Policy
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe import pods
from tests.unit.observe.worlds import NOON, policy, series


def draining(name: str = "research", **spec: Any) -> Policy:
    return policy(name, drain={}, **spec)


def of_pod(value: object, pod: str, *, agent: str = "research", age: float = 1) -> list[Any]:
    labels = {"namespace": "agents", "agent": agent, "pod": pod}
    sampled = NOON.timestamp() - age
    return [series(value, **labels), series(sampled, **labels, asp_sampled="1")]


def readings(policy: Policy, *result: list[Any]) -> pods.PodReadings:
    return pods._of_policy(policy, pods.table_of([row for rows in result for row in rows]), NOON)


def gauge(policy: Policy) -> pods.Gauge:
    found = pods.gauge_of(policy)
    assert not isinstance(found, Missing)
    return found


def test_all_policies_share_one_query() -> None:
    research, support = (gauge(draining(name)) for name in ("research", "support"))
    assert research == support
    query = research.query({("agents", "research"), ("agents", "support")})
    selector = 'agent_active_requests{namespace=~"agents",agent=~"research|support"}'
    assert query.startswith(f"sum by (namespace, agent, pod) ({selector}) or ")
    assert query.count(selector) == 2


def test_query_for_more_agents_than_a_url_holds_is_for_all() -> None:
    many = {("agents", f"agent-{number}") for number in range(1000)}
    query = gauge(draining()).query(many)
    assert query.startswith("sum by (namespace, agent, pod) (agent_active_requests) or ")


def test_names_of_agents_are_no_patterns() -> None:
    query = gauge(draining()).query({("agents", "a.b")})
    assert r'agent=~"a\\.b"' in query


def test_metric_is_that_of_the_policy_before_that_of_its_preset() -> None:
    preset = {"preset": "vllm"}
    assert gauge(draining(signals=preset)).exported.name == "vllm:num_requests_running"
    own = {"activeRequestsPerPod": {"metric": "busy"}}
    assert gauge(policy(drain=own, signals=preset)).exported.name == "busy"


def test_query_of_the_policys_own_tells_nothing_of_pods() -> None:
    found = pods.gauge_of(draining(signals={"activeRequests": {"query": "sum(busy)"}}))
    assert isinstance(found, Missing)
    assert "drain.activeRequestsPerPod.metric" in str(found)


def test_pods_of_the_agent_are_read_and_those_of_others_left_out() -> None:
    found = readings(draining(), of_pod(3, "a"), of_pod(0, "b"), of_pod(7, "c", agent="other"))
    assert not isinstance(found, Missing)
    assert {name: each.value for name, each in found.items()} == {"a": 3.0, "b": 0.0}
    assert found["a"].sampled == NOON - timedelta(seconds=1)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1"])
def test_senseless_number_of_a_pod_is_missing(value: str) -> None:
    found = readings(draining(), of_pod(value, "a"))
    assert not isinstance(found, Missing)
    assert isinstance(found["a"].value, Missing)


def test_histogram_of_a_pod_is_no_number_of_the_others() -> None:
    odd = of_pod(0, "odd")
    odd[0] = {"metric": odd[0]["metric"], "histogram": [NOON.timestamp(), {"count": "3"}]}
    found = readings(draining(), odd, of_pod(2, "good"))
    assert not isinstance(found, Missing)
    assert found["good"].value == 2
    assert isinstance(found["odd"].value, Missing)


def test_old_sample_of_a_pod_is_stale() -> None:
    found = readings(draining(), of_pod(0, "a", age=121))
    assert not isinstance(found, Missing)
    assert found["a"].value == Missing(Why.STALE, "the newest sample is 2m1s old")


def test_pod_whose_time_of_sample_is_unknown_has_no_reading() -> None:
    value, _ = of_pod(0, "a")
    assert readings(draining(), [value]) == {}


def test_pod_that_is_told_twice_is_unknown() -> None:
    found = readings(draining(), of_pod(0, "a"), of_pod(0, "a")[:1])
    assert not isinstance(found, Missing)
    assert isinstance(found["a"].value, Missing)
