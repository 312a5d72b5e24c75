"""Not only Deployments: a StatefulSet, and a kind that only its CRD makes known."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.bed import Bed
from tests.bed.processes import wait_until
from tests.e2e.worlds import World, deployment

pytestmark = pytest.mark.e2e

ROLLOUTS = "rollouts.argoproj.io"
FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
TICKETS = {"name": "tickets", "query": "sum(e2e_tickets)", "target": {"perReplica": "20"}}
EAGER = {"scaleUp": {"maxStep": 20}, "scaleDown": {"maxStep": 20, "cooldown": "2s"}}


@pytest.fixture(scope="module")
def rollouts(installed: Bed) -> Iterator[None]:
    """Serve a kind with the counts where Argo's Rollout has them; nobody controls it."""
    version = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": FREE, "status": FREE}}
        },
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.HPAReplicas",
                "labelSelectorPath": ".status.selector",
            },
        },
    }
    names = {"plural": "rollouts", "singular": "rollout", "kind": "Rollout"}
    spec = {
        "group": "argoproj.io", "names": names, "scope": "Namespaced", "versions": [version],
    }  # fmt: skip
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": ROLLOUTS},
        "spec": spec,
    }
    installed.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(definition))
    installed.kubectl("wait", "--for=condition=Established", "crd", ROLLOUTS)
    yield
    installed.kubectl("delete", "crd", ROLLOUTS)


def until_asked_for(world: World, kind: str, count: int) -> None:
    wait_until(
        lambda: world.read(kind, "agent")["spec"]["replicas"] == count,
        within=60,
        what=f"{kind} at {count} replicas",
    )


def load(world: World, tickets: int) -> None:
    world.fleet.gauge("e2e_tickets", tickets, namespace=world.namespace)


def follow_tickets(world: World, target: dict[str, Any]) -> None:
    """Add `demand` for its pace alone: of work in flight there is none."""
    none = {"query": "vector(0)"}
    world.policy(
        scaleTargetRef={**target, "name": "agent"},
        metrics=[TICKETS],
        signals={
            "queueDepth": none, "activeRequests": none, "capacity": {"perReplica": 4},
        },
        demand=EAGER,
    )  # fmt: skip


def test_stateful_set_grows_and_shrinks_with_its_metric(world: World) -> None:
    body = deployment("agent")
    spec = {**body["spec"], "serviceName": "agent", "podManagementPolicy": "Parallel"}
    world.apply({**body, "kind": "StatefulSet", "spec": spec})
    world.kubectl("rollout", "status", "statefulset/agent", "--timeout=60s")
    load(world, 95)
    follow_tickets(world, {"kind": "StatefulSet"})
    until_asked_for(world, "statefulset", 5)
    world.kubectl("rollout", "status", "statefulset/agent", "--timeout=60s")
    load(world, 30)
    until_asked_for(world, "statefulset", 2)
    wait_until(world.is_one_story, within=60, what="the record of what was done")


def test_kind_of_a_crd_grows_and_shrinks_with_its_metric(rollouts: None, world: World) -> None:
    kind = "argoproj.io/v1alpha1"
    world.apply(
        {
            "apiVersion": kind,
            "kind": "Rollout",
            "metadata": {"name": "agent"},
            "spec": {"replicas": 1},
        }
    )
    load(world, 95)
    follow_tickets(world, {"apiVersion": kind, "kind": "Rollout"})
    until_asked_for(world, "rollout", 5)
    load(world, 30)
    until_asked_for(world, "rollout", 2)
    world.until_event("ScaledDown")
