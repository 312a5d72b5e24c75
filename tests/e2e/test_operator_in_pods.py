"""The operator where it belongs: its image, in two pods of the chart, on nodes that can fail."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentscaler import conventions
from tests.bed import Bed, BedError
from tests.bed.kind import frozen
from tests.bed.manifests import NAMESPACE
from tests.bed.processes import wait_until
from tests.e2e.conftest import CHART, install
from tests.e2e.operator_pods import OperatorPods, value_on
from tests.e2e.operators import RELEASE
from tests.e2e.worlds import SYSTEM_NAMESPACE, World

pytestmark = pytest.mark.e2e

EAGER = {"scaleUp": {"maxStep": 20}, "scaleDown": {"maxStep": 20, "cooldown": "3s"}}
EXAMPLES = sorted(
    each.parent for each in (Path(__file__).parents[2] / "examples").glob("*/policy.yaml")
)


@pytest.fixture
def busy(world: World, pods: OperatorPods) -> World:
    """Give a world whose policy has just added replicas."""
    assert len(pods.pods()) == 2
    world.agent()
    world.pin(queue=8, active=0)
    world.policy(maxReplicas=30, demand=EAGER)
    world.until_reason("Demand")
    return world


@pytest.fixture
def system(installed: Bed) -> Iterator[Bed]:
    """Give the bed, and see that the release is there again in the end."""
    yield installed
    listed = installed.helm("list", "--namespace", SYSTEM_NAMESPACE, "--short").split()
    if RELEASE not in listed:
        install(installed)


def system_pods(bed: Bed, namespace: str = SYSTEM_NAMESPACE) -> dict[str, dict[str, Any]]:
    found = json.loads(bed.kubectl("get", "pods", f"--namespace={namespace}", "--output=json"))
    return {each["metadata"]["name"]: each for each in found["items"]}


DIGEST = """
import hashlib, pathlib, agentscaler
root, digest = pathlib.Path(agentscaler.__file__).parent, hashlib.sha256()
for each in sorted(root.rglob("*.py")):
    digest.update(each.relative_to(root).as_posix().encode() + each.read_bytes())
print(digest.hexdigest())
"""


def leading(pods: OperatorPods) -> list[float]:
    return [value_on(pods.page(pod), "agentscaler_leader") for pod in pods.pods()]


def test_one_of_two_replicas_leads_and_neither_has_rights_on_its_node(
    installed: Bed, pods: OperatorPods
) -> None:
    assert sorted(leading(pods)) == [0, 1]
    for pod in pods.pods():
        run = ("exec", pod, f"--namespace={SYSTEM_NAMESPACE}", "--")
        assert installed.kubectl(*run, "id", "-u").strip() == "65532"
        with pytest.raises(BedError, match="Read-only file system"):
            installed.kubectl(*run, "touch", "/probe")


def test_pods_run_what_is_tested(installed: Bed, pods: OperatorPods) -> None:
    """A builder that kept its layers for too long had the suite test the code of another day."""
    ours = subprocess.run(
        [sys.executable, "-c", DIGEST], check=True, capture_output=True, text=True
    ).stdout
    for pod in pods.pods():
        run = ("exec", pod, f"--namespace={SYSTEM_NAMESPACE}", "--", "python", "-c", DIGEST)
        assert installed.kubectl(*run) == ours


def test_other_replica_goes_on_when_the_leaders_pod_is_deleted(
    busy: World, installed: Bed, pods: OperatorPods
) -> None:
    first = pods.leader()
    assert first is not None
    installed.kubectl("delete", "pod", first, f"--namespace={SYSTEM_NAMESPACE}", "--wait=false")
    wait_until(lambda: pods.leader() not in {None, first}, within=20, what="the takeover")
    busy.pin(queue=60, active=0)
    wait_until(lambda: busy.replicas() > 12, within=60, what="the other replica's scaling")
    pods.start()
    assert sorted(leading(pods)) == [0, 1]
    assert busy.is_one_story()


@pytest.mark.timeout(300)
def test_other_replica_goes_on_when_the_leaders_node_freezes(
    busy: World, installed: Bed, pods: OperatorPods
) -> None:
    """The leader cannot give its Lease back, nor learn that it is taken: it wakes in a past."""
    if installed.cluster != "kind":
        pytest.skip("only the nodes of kind are containers that can be paused")
    first = pods.leader()
    assert first is not None
    node = system_pods(installed)[first]["spec"]["nodeName"]
    others = [system_pods(installed)[each] for each in pods.pods() if each != first]
    needed = [*others, *system_pods(installed, NAMESPACE).values()]
    if node in {each["spec"]["nodeName"] for each in needed}:
        pytest.skip("all is on one node: it takes a cluster of several")
    with frozen(node):
        wait_until(lambda: pods.leader() not in {None, first}, within=40, what="the takeover")
        busy.pin(queue=60, active=0)
        wait_until(lambda: busy.replicas() > 12, within=60, what="the other replica's scaling")
        size = busy.replicas()
    wait_until(lambda: restarts(installed, first) > 0, within=60, what="the end of the old leader")
    pods.start()
    wait_until(lambda: sorted(leading(pods)) == [0, 1], within=60, what="one leader")
    assert busy.replicas() == size
    assert busy.is_one_story()


def restarts(bed: Bed, pod: str) -> int:
    statuses = system_pods(bed)[pod]["status"].get("containerStatuses", [])
    return sum(each["restartCount"] for each in statuses)


@pytest.mark.timeout(300)
def test_upgrade_and_uninstall_leave_policies_and_targets_as_they_are(
    busy: World, system: Bed, pods: OperatorPods
) -> None:
    before, size = identity(busy), busy.replicas()
    old = set(pods.pods())
    release = (RELEASE, "--namespace", SYSTEM_NAMESPACE, "--wait")
    system.helm(
        *("upgrade", *release, str(CHART), "--reuse-values", "--set", "podAnnotations.e2e=again"),
        timeout=180,
    )
    wait_until(lambda: old.isdisjoint(pods.pods()), within=60, what="the end of the old pods")
    assert (identity(busy), busy.replicas()) == (before, size)
    busy.pin(queue=60, active=0)
    wait_until(lambda: busy.replicas() > size, within=40, what="a scaling by the new pods")
    wait_until(lambda: busy.status()["desiredReplicas"] == busy.replicas(), within=60, what="rest")
    size = busy.replicas()
    system.helm("uninstall", *release, timeout=120)
    wait_until(lambda: pods.pods() == [], within=60, what="the end of the operator")
    busy.pin(queue=0, active=0)
    time.sleep(8)  # longer than the window after which it would have removed replicas
    assert (identity(busy), busy.replicas()) == (before, size)
    install(system)
    busy.until_replicas(1, within=60)
    assert busy.is_one_story()


def identity(world: World) -> tuple[str, Any]:
    policy = world.read(conventions.PLURAL, "agent")
    return policy["metadata"]["uid"], policy["spec"]


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
@pytest.mark.usefixtures("pods")
def test_example_is_taken_up(world: World, folder: Path) -> None:
    """Its agent's image need not be there; the operator has to understand the policy."""
    world.kubectl("apply", *(f"--filename={each}" for each in sorted(folder.glob("*.yaml"))))
    names = world.kubectl("get", conventions.PLURAL, "--output=name").split()
    assert names
    for name in names:
        policy = name.rpartition("/")[2]
        wait_until(
            lambda policy=policy: bool(world.status(policy).get("reason")),  # type: ignore[misc]
            within=60,
            what=f"a status of {policy}",
        )
        assert world.status(policy)["reason"] != "InvalidSpec"
