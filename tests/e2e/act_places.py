"""A namespace of its own for each test of act, its workloads, and a target under watch."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import yaml

from agentscaler.act.client import Api, connect
from agentscaler.act.places import Kind
from agentscaler.act.scale import patch_replicas, read_scale
from agentscaler.act.targets import Targets
from agentscaler.act.workloads import Target
from agentscaler.api.policy import ScaleTargetRef
from agentscaler.errors import ConflictError
from tests.bed import Bed
from tests.bed.images import BED_IMAGE
from tests.fakes.connected import until

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
                ref, namespace = REFS[kind], self.namespace
                version = (await read_scale(self.api, ref, namespace)).resource_version
                with contextlib.suppress(ConflictError):
                    await patch_replicas(self.api, ref, namespace, replicas, version=version)
                    return


@contextlib.asynccontextmanager
async def opened(bed: Bed) -> AsyncIterator[Place]:
    """Make a namespace and connect to its cluster; take both away in the end."""
    name = f"act-{secrets.token_hex(4)}"
    bed.kubectl("create", "namespace", name)
    api = await connect(bed.kubeconfig)
    try:
        yield Place(bed, name, api)
    finally:
        await api.close()
        bed.kubectl("delete", "namespace", name, "--wait=false")


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
    container = {"name": "agent", "image": BED_IMAGE}
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
