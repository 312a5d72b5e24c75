"""Scale-downs that cut off no request, on a real control plane: its ReplicaSets, its Services."""

import json
import time
from typing import Any

import pytest

from agentscaler import conventions
from tests.bed.fleet import AgentConfig, Days, Work
from tests.bed.processes import wait_until
from tests.e2e.operators import AnyOperator
from tests.e2e.worlds import World, deployment

pytestmark = pytest.mark.e2e

DAY_SECONDS = 80.0
EAGER = {"scaleUp": {"maxStep": 20}, "scaleDown": {"maxStep": 20, "cooldown": "3s"}}


def detachable(name: str, replicas: int = 1) -> dict[str, Any]:
    """Write a Deployment whose pods can be taken out of service."""
    body = deployment(name, replicas)
    labels = body["spec"]["template"]["metadata"]["labels"]
    labels = {**labels, conventions.SERVING_LABEL: "true"}
    body["spec"]["template"]["metadata"]["labels"] = labels
    return body


def service(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "selector": {"app": name, conventions.SERVING_LABEL: "true"},
            "ports": [{"port": 80, "targetPort": 8000}],
        },
    }


def start(world: World, body: dict[str, Any]) -> None:
    world.apply(body)
    world.kubectl("rollout", "status", f"deployment/{body['metadata']['name']}", "--timeout=60s")


def in_service(world: World, name: str) -> int:
    """Count the endpoints that the Service of that name sends requests to."""
    found = world.kubectl(
        "get", "endpointslices", f"--selector=kubernetes.io/service-name={name}", "--output=json"
    )
    slices = json.loads(found)["items"]
    endpoints = [each for part in slices for each in part.get("endpoints") or ()]
    return sum(bool(each["conditions"].get("ready")) for each in endpoints)


def removed(history: list[dict[str, Any]]) -> int:
    return sum(max(0, each["from"] - each["to"]) for each in history)


def test_no_request_is_cut_off_over_a_day_of_random_load(world: World) -> None:
    """The same load on two fleets; pods are gone 0.2 s after their deletion, requests last 3."""
    load = Days(
        peak=5, season=DAY_SECONDS, seed=7, bursts=4, burst_height=1.0,
        work=Work(mean=3.0, sigma=0.6, most=12.0),
    )  # fmt: skip
    for name in ("plain", "drained"):
        start(world, detachable(name))
        world.fleet.put(AgentConfig(namespace=world.namespace, name=name, slots=2, load=load))
        drain = {"protectBusy": name == "drained", "maxWait": "60s"}
        world.policy(name, demand=EAGER, historyLimit=100, drain=drain)
    wait_until(
        lambda: cut_off(world)["plain"] > 0 and min(gone(world).values()) >= 10,
        within=4 * DAY_SECONDS,
        what="ten pods removed of each fleet, one of the plain one's with a request",
    )
    assert cut_off(world)["drained"] == 0, gone(world)
    assert "DrainForced" not in {each["reason"] for each in world.history("drained")}
    hours = {name: each["replica_hours"] for name, each in figures(world).items()}
    assert hours["drained"] < 2 * hours["plain"]


def figures(world: World) -> dict[str, dict[str, Any]]:
    """Give what the fleet counted for each agent."""
    return {agent: each for (_, agent), each in world.fleet.figures().items()}


def cut_off(world: World) -> dict[str, int]:
    return {name: each["cut"] for name, each in figures(world).items()}


def gone(world: World) -> dict[str, int]:
    return {name: removed(world.history(name)) for name in ("plain", "drained")}


@pytest.mark.parametrize("end", ["demand returns", "policy deleted", "operator killed"])
def test_pod_leaves_its_service_and_comes_back_when_it_may_stay(
    world: World, operator: AnyOperator, end: str
) -> None:
    start(world, detachable("agent", 4))
    world.apply(service("agent"))
    world.fleet.put(AgentConfig(namespace=world.namespace, name="agent", slots=4))
    world.pin(queue=0, active=1)
    wait_until(lambda: in_service(world, "agent") == 4, within=60, what="4 endpoints")
    world.policy(demand=EAGER, drain={})
    world.until_reason("Draining")
    left = 4 - len(world.status()["draining"])
    assert left < 4
    wait_until(lambda: in_service(world, "agent") == left, within=60, what="fewer endpoints")
    assert world.replicas() == 4
    match end:
        case "demand returns":
            world.pin(queue=40)
        case "policy deleted":
            world.kubectl("delete", "asp", "agent")
        case _:
            operator.kill()
            world.pin(queue=40)
            operator.start()
    wait_until(lambda: in_service(world, "agent") >= 4, within=90, what="all endpoints back")
    if end != "policy deleted":
        wait_until(lambda: "draining" not in world.status(), within=60, what="no pod draining")


def test_idle_pods_go_and_busy_ones_only_after_maxwait(world: World) -> None:
    start(world, detachable("agent", 3))
    world.fleet.put(AgentConfig(namespace=world.namespace, name="agent", slots=4))
    world.pin(queue=0, active=1)
    world.policy(demand=EAGER, drain={"maxWait": "15s"}, override={
        "replicas": 1, "until": "2099-01-01T00:00:00Z"
    })  # fmt: skip
    world.until_reason("Draining")
    began = time.monotonic()
    assert world.replicas() == 3
    world.until_replicas(1, within=40)
    assert time.monotonic() - began > 8
    assert world.history()[0]["reason"] == "DrainForced"
    world.until_event("DrainForced")


def test_stateful_set_gives_up_the_idle_pods_at_its_end(world: World) -> None:
    body = deployment("numbered", 4)
    spec = {**body["spec"], "serviceName": "numbered", "podManagementPolicy": "Parallel"}
    world.apply({**body, "kind": "StatefulSet", "spec": spec})
    world.kubectl("rollout", "status", "statefulset/numbered", "--timeout=60s")
    labels = {"namespace": world.namespace, "agent": "numbered"}
    for number, busy in enumerate((0, 1, 0, 0)):
        pod = f"numbered-{number}"
        world.fleet.gauge(conventions.ACTIVE_REQUESTS, busy, **labels, pod=pod)
        world.fleet.gauge(conventions.CAPACITY, 4, **labels, pod=pod)
    world.fleet.gauge(conventions.QUEUE_DEPTH, 0, **labels)
    world.policy(
        "numbered",
        scaleTargetRef={"kind": "StatefulSet", "name": "numbered"},
        demand=EAGER,
        drain={},
        override={"replicas": 1, "until": "2099-01-01T00:00:00Z"},
    )
    wait_until(
        lambda: world.read("statefulset", "numbered")["spec"]["replicas"] == 2,
        within=60,
        what="2 replicas",
    )
    wait_until(
        lambda: world.status("numbered").get("draining") == ["numbered-1"],
        within=60,
        what="the busy one alone draining",
    )
    assert world.read("statefulset", "numbered")["spec"]["replicas"] == 2
    world.fleet.gauge(conventions.ACTIVE_REQUESTS, 0, **labels, pod="numbered-1")
    wait_until(
        lambda: world.read("statefulset", "numbered")["spec"]["replicas"] == 1,
        within=60,
        what="1 replica",
    )
