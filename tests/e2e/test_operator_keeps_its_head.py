"""What goes wrong around the operator: metrics, other writers, other policies, its own death."""

import signal
import time
from itertools import pairwise

import pytest

from tests.bed.processes import wait_until
from tests.e2e.operators import AnyOperator, Operator
from tests.e2e.worlds import World, deployment

pytestmark = pytest.mark.e2e

EAGER = {"scaleUp": {"maxStep": 20}, "scaleDown": {"maxStep": 20, "cooldown": "3s"}}


@pytest.mark.timeout(300)
def test_dead_prometheus_shrinks_nothing_then_the_fallback_applies(world: World) -> None:
    world.agent(replicas=4)
    world.pin(queue=12, active=0)
    world.policy(demand=EAGER, fallback={"behavior": "AtLeast", "replicas": 9, "afterFailures": 12})
    world.until_reason("Demand")
    world.until_carried_out()
    steady = world.replicas()
    world.bed.kill("prometheus")
    try:
        world.until_condition("MetricsAvailable", "False")
        assert world.replicas() == steady
        world.until_event("MetricsUnavailable")
        # A dead address may take all of the ten seconds that a pass waits for Prometheus.
        world.until_replicas(9, within=150)
        assert world.status()["reason"] == "FallbackApplied"
    finally:
        world.bed.start("prometheus")
    world.until_condition("MetricsAvailable", "True", within=60)
    world.until_replicas(steady, within=60)


@pytest.mark.timeout(240)
def test_vanished_series_shrink_nothing(world: World) -> None:
    world.agent(replicas=4)
    world.pin(queue=12, active=0)
    world.policy(demand=EAGER)
    world.until_reason("Demand")
    world.until_carried_out()
    steady = world.replicas()
    world.fleet.show("absent", world.namespace, "agent")
    # A sample counts for two minutes; all that time the window of three seconds is long over.
    world.until_condition("MetricsAvailable", "False", within=150)
    assert world.replicas() == steady


@pytest.mark.parametrize("shown", ["NaN", "+Inf", "-1"])
def test_senseless_numbers_shrink_nothing(world: World, shown: str) -> None:
    world.agent(replicas=4)
    world.pin(queue=shown, active=1)
    world.policy(demand=EAGER)
    world.until_condition("MetricsAvailable", "False")
    time.sleep(4)  # longer than the window
    assert world.replicas() == 4


def test_refused_query_is_told_and_disturbs_no_other(world: World) -> None:
    world.agent("good")
    world.agent("bad")
    world.pin("good", queue=20, active=0)
    world.policy("good", demand=EAGER)
    target = {"perReplica": "1"}
    world.policy("bad", metrics=[{"name": "m", "query": "sum(((", "target": target}])
    world.until_condition("MetricsAvailable", "False", "bad")
    assert world.condition("MetricsAvailable", "bad")["reason"] == "QueryRefused"
    world.until_reason("Demand", "good")
    world.until_carried_out("good")
    assert world.replicas("good") > 5
    assert world.replicas("bad") == 1


def test_spec_that_only_the_operator_can_judge_is_told(world: World) -> None:
    world.agent()
    hours = {"name": "odd", "start": "0 0 31 2 *", "end": "0 25 * * *", "minReplicas": 3}
    world.policy(schedules=[hours])
    world.until_reason("InvalidSpec")
    assert world.condition("Ready")["status"] == "False"
    assert "schedules" in world.status()["message"]
    assert world.replicas() == 1


def test_missing_target_is_told_and_taken_up_when_it_comes(world: World) -> None:
    world.policy("late", demand=EAGER)
    world.until_reason("TargetNotFound", "late")
    world.agent("late")
    world.pin("late", queue=20, active=0)
    world.until_reason("Demand", "late")
    world.until_carried_out("late")
    assert world.replicas("late") > 5


def test_kind_without_scale_is_told(world: World) -> None:
    world.policy("odd", scaleTargetRef={"apiVersion": "v1", "kind": "ConfigMap", "name": "x"})
    world.until_reason("TargetNotScalable", "odd")


def test_second_policy_on_a_target_stands_aside_until_the_first_goes(world: World) -> None:
    world.agent()
    world.pin(queue=20, active=0)
    world.policy("first", "agent", maxReplicas=3, demand=EAGER)
    world.until_replicas(3)
    time.sleep(1)  # creation times have whole seconds
    world.policy("second", "agent", maxReplicas=6, demand=EAGER)
    world.until_condition("Conflict", "True", "second")
    assert world.replicas() == 3
    world.kubectl("delete", "asp", "first")
    world.until_replicas(6)
    world.until_condition("Conflict", "False", "second")


def test_other_autoscaler_on_the_target_makes_it_stand_aside(world: World) -> None:
    world.agent()
    world.pin(queue=20, active=0)
    world.kubectl("autoscale", "deployment", "agent", "--min=1", "--max=2", "--cpu=80%")
    world.policy(demand=EAGER)
    world.until_condition("Conflict", "True")
    assert "HorizontalPodAutoscaler" in world.status()["message"]
    assert world.replicas() == 1
    world.kubectl("delete", "hpa", "agent")
    world.until_reason("Demand")
    world.until_carried_out()
    assert world.replicas() > 5


def test_foreign_writer_is_named(world: World) -> None:
    world.agent()
    world.pin(queue=20, active=0)
    world.policy(demand=EAGER)
    world.until_reason("Demand")
    world.until_carried_out()
    decided = world.replicas()
    world.apply(deployment("agent", decided - 2))
    world.until_condition("ReplicasContested", "True")
    assert "kubectl" in world.condition("ReplicasContested")["message"]
    world.until_replicas(decided)


def test_killed_operator_loses_and_doubles_no_scaling(world: World, operator: AnyOperator) -> None:
    world.agent()
    world.policy(maxReplicas=30, demand=EAGER)
    for round_ in range(3):
        world.pin(queue=12 * (round_ + 1), active=0)
        wait_until(
            lambda round_=round_: len(world.history()) > round_,  # type: ignore[misc]
            within=60,
            what="a scaling on record",
        )
        operator.kill()
        operator.start()
        world.until_condition("Ready", "True", within=60)
    world.until_carried_out()
    past = [each for each in world.history() if each["outcome"] == "Applied"]
    assert len({each["id"] for each in past}) == len(past)
    wait_until(lambda: all(is_told(world, each["id"]) for each in past), within=60, what="all told")
    assert past[0]["to"] == world.replicas()
    assert all(newer["from"] == older["to"] for newer, older in pairwise(past))


def test_cooldown_holds_across_a_restart(world: World, operator: AnyOperator) -> None:
    world.agent()
    world.pin(queue=20, active=0)
    world.policy(threshold={"scaleUp": {"cooldown": "25s"}})
    world.until_replicas(3)
    scaled = time.monotonic()
    operator.terminate()
    operator.start()
    world.until_reason("CoolingDown")
    assert world.replicas() == 3
    world.until_replicas(5, within=40)
    assert time.monotonic() - scaled > 20


def test_standby_takes_over_after_kill_and_after_term(world: World, process: Operator) -> None:
    world.agent()
    world.pin(queue=4, active=0)
    world.policy(maxReplicas=30, demand=EAGER)
    world.until_reason("Demand")
    with Operator(world.bed, "standby") as standby:
        assert (leads(process), leads(standby)) == (True, False)
        process.kill()
        wait_until(lambda: leads(standby), within=30, what="the takeover")
        world.pin(queue=40, active=0)
        wait_until(lambda: world.replicas() > 10, within=60, what="the standby's scaling")
        process.start()
        assert not leads(process)
        standby.signal(signal.SIGTERM)
        began = time.monotonic()
        wait_until(lambda: leads(process), within=14, what="the handover")
        # 2 s are the aim, the rest is a busy machine; a Lease not given back lasts for 15 s.
        assert time.monotonic() - began < 12


def is_told(world: World, decision: str) -> bool:
    return any(decision in each["message"] for each in world.events("ScaledUp"))


def leads(operator: Operator) -> bool:
    return operator.metric("agentscaler_leader") == 1
