"""What act takes for granted of scales and watches, on a real API server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from agentscaler.act.places import Kind
from agentscaler.act.rivals import Rival, Rivals
from agentscaler.act.scale import patch_replicas, read_scale
from agentscaler.act.targets import Targets
from agentscaler.api.policy import ScaleTargetRef
from agentscaler.clock import SystemClock
from agentscaler.errors import ClusterError, ConflictError
from tests.bed import Bed
from tests.e2e.act_places import AGENT, Place, follow, opened, squad, squad_definition, workload
from tests.fakes.connected import until

pytestmark = pytest.mark.e2e


@pytest.fixture
async def place(cluster: Bed) -> AsyncIterator[Place]:
    async with opened(cluster) as here:
        yield here


@pytest.fixture
async def targets(place: Place) -> AsyncIterator[Targets]:
    following = Targets(place.api, clock=SystemClock(), namespaces=[place.namespace])
    yield following
    await following.close()


@pytest.fixture(scope="session")
def squads(cluster: Bed) -> Iterator[None]:
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(squad_definition()))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "squads.act-test.agentscaler.dev")
    yield
    cluster.kubectl("delete", "crd", "squads.act-test.agentscaler.dev")


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
async def test_workload_is_scaled_to_zero_and_back(
    place: Place, targets: Targets, kind: str
) -> None:
    place.apply(workload(kind, 2))
    seen = await follow(targets, place, kind)
    await seen.reaches(2)
    assert seen.now().selector == "app=agent"
    for replicas in (3, 0, 1):
        await place.scaled(replicas, kind)
        await seen.reaches(replicas)
        assert seen.writer() == "agentscaler"
    await until(lambda: not seen.now().rolling_out, 60)


async def test_scale_that_changed_since_it_was_read_is_left_alone(place: Place) -> None:
    place.apply(workload("Deployment", 1))
    seen = await read_scale(place.api, AGENT, place.namespace)
    place.kubectl("scale", "deployment/agent", "--replicas=4")
    with pytest.raises(ConflictError, match="the object has been modified"):
        await patch_replicas(place.api, AGENT, place.namespace, 2, version=seen.resource_version)
    assert (await read_scale(place.api, AGENT, place.namespace)).replicas == 4


async def test_kind_with_counts_of_its_own_is_scaled(
    place: Place, targets: Targets, squads: None
) -> None:
    place.apply(squad(2))
    seen = await follow(targets, place, "Squad")
    assert (seen.now().replicas, seen.now().ready) == (2, 0)
    await place.scaled(4, "Squad")
    await until(lambda: seen.writer() == "agentscaler")
    edit = json.dumps({"spec": {"members": {"wanted": 5}}})
    place.kubectl("patch", "squad/agent", "--type=merge", "-p", edit, "--field-manager=editor")
    await seen.asks_for(5)
    assert seen.writer() == "editor"
    for replicas in (0, 3):
        await place.scaled(replicas, "Squad")
        await seen.asks_for(replicas)
        assert place.read("squad/agent")["spec"]["members"]["wanted"] == replicas
    alive = json.dumps({"status": {"members": {"alive": 3}, "selector": "app=squad"}})
    place.kubectl("patch", "squad/agent", "--subresource=status", "--type=merge", "-p", alive)
    await until(lambda: (seen.now().ready, seen.now().selector) == (3, "app=squad"))


async def test_writer_of_the_count_is_named(place: Place, targets: Targets) -> None:
    place.kubectl("create", "deployment", "agent", "--image=registry.k8s.io/pause:3.10")
    seen = await follow(targets, place)
    assert seen.writer() == "kubectl-create"
    await place.scaled(2)
    await until(lambda: seen.writer() == "agentscaler")
    place.kubectl("scale", "deployment/agent", "--replicas=3")
    await seen.asks_for(3)
    assert seen.writer() == "kubectl"
    place.kubectl("scale", "deployment/agent", "--replicas=0")
    await seen.asks_for(0)
    assert seen.now().writer is None  # the API server forgets who wrote a zero through /scale
    await place.scaled(4)
    await until(lambda: seen.writer() == "agentscaler")
    wanted = yaml.safe_dump(workload("Deployment", 5))
    applied = ("apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "-f", "-")
    place.kubectl(*applied, stdin=wanted)
    await seen.asks_for(5)
    assert seen.writer() == "gitops"
    writer = seen.now().writer
    assert writer is not None
    assert writer.at is not None
    assert abs(datetime.now(UTC) - writer.at) < timedelta(minutes=1)


async def test_rollout_is_seen_while_it_is_under_way(place: Place, targets: Targets) -> None:
    place.apply(workload("Deployment", 3))
    seen = await follow(targets, place)
    await seen.reaches(3)
    await until(lambda: not seen.now().rolling_out)
    states: list[bool] = []
    targets._on_change = lambda _: states.append(seen.now().rolling_out)
    place.kubectl("set", "env", "deployment/agent", "REVISION=2")
    await until(lambda: states and not seen.now().rolling_out and seen.now().updated == 3, 60)
    assert any(states), "the rollout was over before it was seen"
    await seen.reaches(3)


async def test_target_that_is_deleted_is_gone(place: Place, targets: Targets) -> None:
    place.apply(workload("Deployment", 1))
    seen = await follow(targets, place)
    assert seen.now().replicas == 1
    place.kubectl("delete", "deployment", "agent", "--wait=false")
    await until(lambda: targets.find(place.namespace, AGENT) is None)


async def test_kinds_that_cannot_be_targets_are_told(place: Place, targets: Targets) -> None:
    kinds = (Kind("apps/v1", "ControllerRevision"), Kind("v1", "Node"), Kind("no.dev/v1", "Thing"))
    await targets.follow(kinds)
    for kind in kinds:
        ref = ScaleTargetRef(api_version=kind.api_version, kind=kind.name, name="agent")
        with pytest.raises(ClusterError, match=kind.name if "no." not in kind[0] else "no.dev"):
            targets.find(place.namespace, ref)


async def test_rival_is_noticed(place: Place) -> None:
    rivals = Rivals(place.api, clock=SystemClock(), namespaces=[place.namespace])
    rivals.start()
    try:
        await rivals.settled()
        assert rivals.synced
        place.apply(workload("Deployment", 1))
        place.kubectl("autoscale", "deployment/agent", "--max=3", "--cpu=80%")
        own = (place.namespace, "Deployment", "agent")
        await until(lambda: rivals.of(*own) == (Rival("HorizontalPodAutoscaler", "agent"),))
        place.kubectl("delete", "hpa", "agent")
        await until(lambda: rivals.of(*own) == ())
    finally:
        await rivals.close()


async def test_targets_survive_a_crash_of_the_api_server(
    place: Place, targets: Targets, control_plane: Bed
) -> None:
    place.apply(workload("Deployment", 1))
    seen = await follow(targets, place)
    await seen.reaches(1)
    control_plane.kill("kube-apiserver")
    await until(lambda: targets.age_seconds() > 1)
    with pytest.raises(ClusterError):
        await place.scaled(2)
    assert seen.now().replicas == 1
    await asyncio.to_thread(control_plane.start, "kube-apiserver")
    await place.scaled(2)
    await seen.reaches(2)
