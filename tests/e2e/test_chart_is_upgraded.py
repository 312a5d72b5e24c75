"""A release is upgraded, uninstalled and installed anew: policies and their targets stay.

On a cluster of its own, for the CRD belongs to a release.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentscaler import conventions
from tests.bed import Bed
from tests.bed.fleet import Fleet
from tests.bed.processes import wait_until
from tests.e2e.conftest import CHART
from tests.e2e.operators import RELEASE, Operator, kubeconfig
from tests.e2e.previous_chart import write_previous
from tests.e2e.test_operator_rights import may
from tests.e2e.worlds import SYSTEM_NAMESPACE, Document, World

pytestmark = pytest.mark.e2e

EAGER = {"scaleUp": {"maxStep": 20}, "scaleDown": {"maxStep": 20, "cooldown": "3s"}}
CRD = f"{conventions.PLURAL}.{conventions.GROUP}"


@pytest.fixture
def world(own_cluster: Bed) -> Iterator[World]:
    """Have a cluster in which nothing was ever installed."""
    with Fleet.up(own_cluster) as fleet:
        yield World(own_cluster, fleet)


def release(world: World, verb: str, *options: str) -> str:
    """Have helm do something to the release."""
    return world.bed.helm(verb, RELEASE, *options, "--namespace", SYSTEM_NAMESPACE, timeout=180)


def install(world: World, chart: Path) -> None:
    release(
        world, "install", str(chart), "--create-namespace", "--wait",
        "--set", f"prometheus.url={world.bed.prometheus_url},drain.enabled=true",
    )  # fmt: skip
    world.bed.kubectl("wait", "crd", CRD, "--for=condition=Established", "--timeout=30s")


def untouched(world: World) -> tuple[object, ...]:
    """Give all of the policy and its target, at rest, that no helm command may change."""
    world.kubectl("rollout", "status", "deployment/agent", "--timeout=60s")
    policy, target = world.read("asp", "agent"), world.read("deployment", "agent")
    return (
        *(policy["metadata"][name] for name in ("uid", "generation", "creationTimestamp")),
        policy["spec"],
        decisions(world),
        *(target["metadata"][name] for name in ("uid", "generation")),
        target["spec"],
        identities(world, "replicasets"),
        identities(world, "pods"),
    )


def decisions(world: World) -> list[str]:
    """Name the scalings on record, newest first."""
    return [each["id"] for each in world.history()]


def identities(world: World, kind: str) -> set[str]:
    found = json.loads(world.kubectl("get", kind, "--output=json"))["items"]
    return {each["metadata"]["uid"] for each in found}


def candidate(world: World) -> Document | None:
    """Give the policy a field that the version before did not have, and read it back."""
    patch = '{"spec": {"candidate": {"demand": {"spare": 1}}}}'
    world.kubectl("patch", "asp", "agent", "--type=merge", f"--patch={patch}")
    found: Document | None = world.read("asp", "agent")["spec"].get("candidate")
    return found


def grow(world: World) -> None:
    """Have the operator scale, and wait until that is on record."""
    size = world.replicas()
    world.pin(queue=40, active=0)
    wait_until(lambda: world.replicas() > size, within=60, what="growth after the upgrade")
    wait_until(lambda: world.history()[0]["outcome"] == "Applied", within=60, what="its record")


@pytest.mark.timeout(600)
def test_upgrade_and_uninstall_leave_policies_and_targets_alone(
    world: World, tmp_path: Path
) -> None:
    install(world, write_previous(CHART, tmp_path))
    world.agent(replicas=2)
    world.pin(queue=12, active=0)
    world.policy(demand=EAGER)
    with Operator(world.bed, "before"):
        world.until_reason("Demand", within=60)
    assert candidate(world) is None

    before = untouched(world)
    release(world, "upgrade", str(CHART), "--reset-then-reuse-values", "--wait")
    assert untouched(world) == before
    wait_until(lambda: candidate(world) is not None, within=60, what="the new field")
    with Operator(world.bed, "after"):
        grow(world)

    before, past = untouched(world), decisions(world)
    assert CRD in release(world, "uninstall", "--wait")
    assert untouched(world) == before
    assert not may(world.bed, "patch", "deployments.apps", "--subresource=scale")

    kubeconfig(world.bed).unlink()  # of an account that is gone
    install(world, CHART)
    assert untouched(world) == before
    with Operator(world.bed, "again"):
        world.pin(queue=0, active=0)
        world.until_replicas(1, within=60)
    assert decisions(world)[-len(past) :] == past
