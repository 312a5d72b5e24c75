"""What act takes for granted of the API server, on a real one."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentscaler.act.client import Api, connect
from agentscaler.act.credentials import read_secret
from agentscaler.act.events import post_event
from agentscaler.act.leases import Lease, read_lease, write_lease
from agentscaler.act.places import POLICIES, Kind
from agentscaler.act.policies import list_policies, read_policy
from agentscaler.act.rivals import Rival, Rivals
from agentscaler.act.scale import patch_replicas, read_scale
from agentscaler.act.statuses import patch_status
from agentscaler.act.targets import Targets
from agentscaler.act.workloads import Target
from agentscaler.api.policy import ScaleTargetRef
from agentscaler.clock import SystemClock
from agentscaler.errors import ClusterError, ConflictError, ForbiddenError, NotFoundError
from tests.bed import Bed
from tests.fakes.connected import until

pytestmark = pytest.mark.e2e

CRDS = Path(__file__).parents[2] / "crds"
SQUAD = Kind("act-test.agentscaler.dev/v1", "Squad")
REFS = {
    kind.name: ScaleTargetRef(api_version=kind.api_version, kind=kind.name, name="agent")
    for kind in (Kind("apps/v1", "Deployment"), Kind("apps/v1", "StatefulSet"), SQUAD)
}
AGENT = REFS["Deployment"]


@dataclass
class Place:
    """A namespace of its own on the cluster, kubectl and our client."""

    bed: Bed
    namespace: str
    api: Api

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.bed.kubectl("--namespace", self.namespace, *arguments, stdin=stdin)

    def apply(self, *bodies: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(bodies))

    def read(self, what: str) -> Any:
        return json.loads(self.kubectl("get", what, "-o", "json"))

    async def scaled(self, replicas: int, kind: str = "Deployment") -> None:
        """Set the count as the operator does: again from the start if somebody came between."""
        async with asyncio.timeout(10):
            while True:
                seen = await read_scale(self.api, REFS[kind], self.namespace)
                with contextlib.suppress(ConflictError):
                    await patch_replicas(self.api, seen, replicas)
                    return


@pytest.fixture
def namespace(cluster: Bed) -> Iterator[str]:
    name = f"act-{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
async def place(cluster: Bed, namespace: str) -> AsyncIterator[Place]:
    api = await connect(cluster.kubeconfig)
    yield Place(cluster, namespace, api)
    await api.close()


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


@pytest.fixture(scope="session")
def policy_definition(cluster: Bed) -> None:
    cluster.kubectl("apply", "--server-side", "-f", str(CRDS))
    cluster.kubectl(
        "wait", "--for=condition=Established", "crd", f"{POLICIES.plural}.agentscaler.dev"
    )


def squad_definition() -> dict[str, Any]:
    """Define a kind whose counts are where nobody looks."""
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    scale = {
        "specReplicasPath": ".spec.members.wanted",
        "statusReplicasPath": ".status.members.alive",
        "labelSelectorPath": ".status.selector",
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}
        },
        "subresources": {"scale": scale, "status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "squads.act-test.agentscaler.dev"},
        "spec": {
            "group": "act-test.agentscaler.dev",
            "names": {"plural": "squads", "singular": "squad", "kind": "Squad"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def workload(kind: str, replicas: int) -> dict[str, Any]:
    labels = {"app": "agent"}
    container = {"name": "agent", "image": "registry.k8s.io/pause:3.10"}
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    if kind == "StatefulSet":
        spec["serviceName"] = "agent"
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "agent"}, "spec": spec}


def squad(wanted: int) -> dict[str, Any]:
    return {
        "apiVersion": SQUAD.api_version,
        "kind": "Squad",
        "metadata": {"name": "agent"},
        "spec": {"members": {"wanted": wanted}},
    }


async def follow(targets: Targets, place: Place, kind: str = "Deployment") -> "Watched":
    await targets.follow([Kind(REFS[kind].api_version, kind)])
    await targets.settled()
    return Watched(targets, place, REFS[kind])


@dataclass
class Watched:
    """One target, as the watch shows it."""

    targets: Targets
    place: Place
    ref: ScaleTargetRef

    def now(self) -> Target:
        found = self.targets.find(self.place.namespace, self.ref)
        assert found is not None
        return found

    async def reaches(self, replicas: int) -> None:
        await until(lambda: (self.now().replicas, self.now().ready) == (replicas, replicas), 60)

    async def asks_for(self, replicas: int) -> None:
        await until(lambda: self.now().replicas == replicas)

    def writer(self) -> str:
        writer = self.now().writer
        return writer.manager if writer else ""


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
        await patch_replicas(place.api, seen, 2)
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
    assert True in states
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


async def test_lease_is_held_by_one_of_two(place: Place) -> None:
    now = datetime.now(UTC)
    assert await read_lease(place.api, place.namespace, "leader") is None
    mine = await write_lease(place.api, place.namespace, "leader", Lease("me", 15, now, now))
    assert (mine.holder, mine.renewed_at) == ("me", now)
    with pytest.raises(ConflictError):
        await write_lease(place.api, place.namespace, "leader", Lease("you", 15, now, now))
    taken = replace(mine, holder="you", transitions=1)
    renewed = await write_lease(place.api, place.namespace, "leader", taken)
    with pytest.raises(ConflictError):
        await write_lease(place.api, place.namespace, "leader", mine)
    released = await write_lease(place.api, place.namespace, "leader", replace(renewed, holder=""))
    assert await read_lease(place.api, place.namespace, "leader") == released
    assert released.holder == ""


def event(place: Place, count: int) -> dict[str, Any]:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": place.namespace, "name": "agent.17f"},
        "involvedObject": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "namespace": place.namespace,
            "name": "agent",
        },
        "type": "Normal",
        "reason": "ScaledUp",
        "message": "from 2 to 4",
        "source": {"component": "agentscaler"},
        "reportingComponent": "agentscaler",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": count,
    }


async def test_event_that_happens_again_is_one_with_a_count(place: Place) -> None:
    for count in (1, 1, 2):
        await post_event(place.api, event(place, count))
    posted = [it for it in place.read("events")["items"] if it["reason"] == "ScaledUp"]
    assert [(it["metadata"]["name"], it["count"]) for it in posted] == [("agent.17f", 2)]


def policy(name: str) -> dict[str, Any]:
    metadata = {"name": name}
    kind = {"apiVersion": "agentscaler.dev/v1alpha1", "kind": "AgentScalingPolicy"}
    return {**kind, "metadata": metadata, "spec": {"scaleTargetRef": {"name": "agent"}}}


async def test_policies_are_listed_by_their_metadata(place: Place, policy_definition: None) -> None:
    place.apply(*(policy(f"asp-{number}") for number in range(3)))
    own = await list_policies(place.api, [place.namespace])
    assert set(own) == {(place.namespace, f"asp-{number}") for number in range(3)}
    assert own.items() <= (await list_policies(place.api)).items()
    body = await read_policy(place.api, place.namespace, "asp-1")
    found = own[place.namespace, "asp-1"]
    assert (body["metadata"]["uid"], body["metadata"]["generation"]) == (found.uid, 1)
    pages = place.api.list_pages(POLICIES.at(place.namespace))
    assert body["spec"] in [item["spec"] async for page in pages for item in page["items"]]


async def test_status_is_written_to_the_version_that_was_seen(
    place: Place, policy_definition: None
) -> None:
    place.apply(policy("asp"))
    seen = place.read("asp/asp")["metadata"]["resourceVersion"]
    status = {"mode": "Auto", "currentReplicas": 2}
    version = await patch_status(place.api, place.namespace, "asp", status, seen)
    with pytest.raises(ConflictError):
        await patch_status(place.api, place.namespace, "asp", status, seen)
    again = await patch_status(place.api, place.namespace, "asp", status, version)
    assert again == version  # a write that changes nothing makes no new version
    await patch_status(place.api, place.namespace, "asp", {"mode": None}, version)
    assert place.read("asp/asp")["status"] == {"currentReplicas": 2}
    with pytest.raises(NotFoundError):
        await patch_status(place.api, place.namespace, "nobody", status, version)


async def test_secret_is_read_and_refused_without_the_right(place: Place, tmp_path: Path) -> None:
    place.kubectl("create", "secret", "generic", "keys", "--from-literal=token=sesame")
    assert await read_secret(place.api, place.namespace, "keys") == {"token": b"sesame"}
    place.kubectl("create", "serviceaccount", "weak")
    token = place.kubectl("create", "token", "weak").strip()
    weak = await connect(with_token(place, tmp_path, token))
    try:
        with pytest.raises(ForbiddenError, match=r'secrets "keys" is forbidden: User .*:weak"'):
            await read_secret(weak, place.namespace, "keys")
        assert (await weak.login()).token == token
    finally:
        await weak.close()
    stranger = await connect(with_token(place, tmp_path, "nonsense"))
    try:
        with pytest.raises(ClusterError, match="Unauthorized"):
            await read_secret(stranger, place.namespace, "keys")
    finally:
        await stranger.close()


def with_token(place: Place, folder: Path, token: str) -> Path:
    """Write a kubeconfig with a token in place of the administrator's certificate."""
    content = yaml.safe_load(place.kubectl("config", "view", "--raw", "--minify", "--flatten"))
    content["users"] = [{"name": content["users"][0]["name"], "user": {"token": token}}]
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(content))
    return file


async def test_targets_survive_a_crash_of_the_api_server(place: Place, targets: Targets) -> None:
    if place.bed.cluster != "local":
        pytest.skip("only the local control plane can be killed")
    place.apply(workload("Deployment", 1))
    seen = await follow(targets, place)
    await seen.reaches(1)
    place.bed.kill("kube-apiserver")
    await until(lambda: targets.age_seconds() > 1)
    with pytest.raises(ClusterError):
        await place.scaled(2)
    assert seen.now().replicas == 1
    await asyncio.to_thread(place.bed.start, "kube-apiserver")
    await place.scaled(2)
    await seen.reaches(2)
