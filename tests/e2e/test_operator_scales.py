"""The main job on a real control plane: policies applied with kubectl scale real Deployments."""

import time
from typing import Any

import pytest

from tests.e2e.worlds import SLOTS, World

pytestmark = pytest.mark.e2e

EAGER = {"scaleUp": {"maxStep": 20}, "scaleDown": {"maxStep": 20, "cooldown": "3s"}}
QUICK: dict[str, Any] = {"scaleUp": {"cooldown": "1s"}, "scaleDown": {"cooldown": "2s"}}


def test_queue_adds_replicas_and_the_status_says_why(world: World) -> None:
    world.agent()
    world.pin(queue=20, active=0)
    world.policy(demand=EAGER)
    world.until_reason("Demand")
    world.until_carried_out()
    assert world.replicas() > 5
    status = world.status()
    assert "0 busy and 20 waiting" in status["history"][0]["message"]
    assert status["history"][0]["outcome"] == "Applied"
    world.until_event("ScaledUp")


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ({"queue": 0, "active": SLOTS}, "HighUtilization"),
        ({"queue": 3 * SLOTS, "active": 2}, "HighQueuePressure"),
    ],
    ids=["utilization", "queue pressure"],
)
def test_crossed_threshold_adds_two(world: World, shown: dict[str, Any], reason: str) -> None:
    world.agent()
    world.pin(**shown)
    world.policy(threshold={"scaleUp": {"cooldown": "1h"}})
    world.until_replicas(3)
    assert world.history()[0]["reason"] == reason


def test_high_latency_adds_two(world: World) -> None:
    world.agent()
    world.pin(queue=0, active=2)
    world.fleet.gauge("e2e_latency_seconds", 9.0, namespace=world.namespace)
    query = "max(e2e_latency_seconds)"  # confined to its namespace by the operator
    world.policy(
        threshold={"scaleUp": {"cooldown": "1h"}},
        signals={"latency": {"query": query, "measures": "Wait"}},
    )
    world.until_replicas(3)
    assert world.history()[0]["reason"] == "HighLatency"


def test_custom_metric_with_its_own_query_adds_replicas(world: World) -> None:
    world.agent()
    world.fleet.gauge("e2e_tickets", 95, namespace=world.namespace)
    query = "sum(e2e_tickets)"  # confined to its namespace by the operator
    target = {"perReplica": "20"}
    world.policy(metrics=[{"name": "tickets", "query": query, "target": target}])
    world.until_replicas(5)
    assert world.history()[-1]["reason"] in {"CustomMetric", "StepLimited"}


def test_closed_gate_adds_nothing_until_it_opens(world: World) -> None:
    world.agent()
    world.pin(queue=20, active=0)
    world.fleet.gauge("e2e_database", 0.95, namespace=world.namespace)
    query = "max(e2e_database)"  # confined to its namespace by the operator
    world.policy(demand=EAGER, gates=[{"name": "database", "query": query, "above": "90%"}])
    world.until_reason("GateClosed")
    assert world.replicas() == 1
    world.fleet.gauge("e2e_database", 0.2, namespace=world.namespace)
    world.until_reason("Demand")
    world.until_carried_out()
    assert world.replicas() > 5


def test_replicas_are_removed_only_after_the_window(world: World) -> None:
    world.agent(replicas=6)
    world.pin(queue=0, active=0)
    world.policy(demand={**EAGER, "scaleDown": {"maxStep": 20, "cooldown": "20s"}})
    world.until_reason("Stabilizing")
    began = time.monotonic()
    assert world.replicas() == 6
    world.until_replicas(1)
    assert time.monotonic() - began > 8
    world.until_event("ScaledDown")


def test_fleet_goes_to_zero_and_comes_back(world: World) -> None:
    world.agent()
    world.pin(queue=0)
    world.policy(minReplicas=0, demand=EAGER, signals={"capacity": {"perReplica": SLOTS}})
    world.until_replicas(0)
    world.pin(queue=1)
    world.until_replicas(1)


def test_changed_spec_is_followed_at_once(world: World) -> None:
    world.agent()
    world.pin(queue=200, active=0)
    world.policy(maxReplicas=3, demand=EAGER)
    world.until_replicas(3)
    world.until_reason("AtMaximum")
    world.policy(maxReplicas=7, demand=EAGER)
    world.until_replicas(7)


def test_deleted_policy_leaves_the_target_as_it_is(world: World) -> None:
    world.agent(replicas=5)
    world.pin(queue=0, active=0)
    world.policy(demand={**EAGER, "scaleDown": {"cooldown": "20s", "maxStep": 20}})
    world.until_reason("Stabilizing")
    world.kubectl("delete", "asp", "agent")
    time.sleep(22)  # longer than the window after which it would have been removed
    assert world.replicas() == 5


def test_paused_and_recommending_policies_do_not_act(world: World) -> None:
    world.agent("paused")
    world.agent("told")
    for name in ("paused", "told"):
        world.pin(name, queue=20, active=0)
    world.policy("paused", mode="Paused", demand=EAGER)
    world.policy("told", mode="Recommend", demand=EAGER)
    world.until_condition("ScalingActive", "False", "paused")
    world.until_reason("Demand", "told")
    assert world.status("told")["desiredReplicas"] > 5
    assert (world.replicas("paused"), world.replicas("told")) == (1, 1)
    world.until_event("ScalingRecommended", "told")


def test_override_and_schedule_set_the_bounds(world: World) -> None:
    world.agent()
    world.pin(queue=0, active=0)
    always = {"name": "always", "start": "0 0 * * *", "end": "0 0 1 1 *", "minReplicas": 3}
    world.policy(schedules=[always], demand=EAGER)
    world.until_replicas(3)
    world.until_told("schedule always")
    world.policy(
        schedules=[always],
        override={"minReplicas": 5, "until": "2099-01-01T00:00:00Z", "reason": "launch"},
        demand=EAGER,
    )
    world.until_replicas(5)
    world.until_told("override (launch)")


def test_describe_tells_the_story(world: World) -> None:
    world.agent()
    world.pin(queue=20, active=0)
    world.policy(demand=EAGER)
    world.until_reason("Demand")
    world.until_event("ScaledUp")
    told = world.kubectl("describe", "asp", "agent")
    assert "waiting" in told
    assert "ScaledUp" in told
    line = world.kubectl("get", "asp", "agent")
    assert "Deployment" in line or "agent" in line
    assert "Demand" in line
