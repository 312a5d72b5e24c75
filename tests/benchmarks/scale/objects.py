"""What the operator is set to work on: policies, and what they scale, as many as wanted.

Every tenth target is a real Deployment, up to a thousand; the others are crews, a kind with nothing
but a `/scale`, which cost the cluster next to nothing by themselves.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from agentscaler import conventions
from agentscaler.act.client import Api, Limits, connect
from agentscaler.act.places import POLICIES, Place, Resource
from tests.bed import Bed
from tests.e2e.worlds import deployment

GROUP: Final = "bench.agentscaler.dev"
CREWS: Final = Resource(f"{GROUP}/v1", "crews")
_DEPLOYMENTS: Final = Resource("apps/v1", "deployments")
_NAMESPACES: Final = 20
_EVERY: Final = 10
_MOST_DEPLOYMENTS: Final = 1000
_AT_ONCE: Final = 500

Document = dict[str, Any]


def namespace_of(number: int) -> str:
    """Tell where an agent lives."""
    return f"bench-{number % _NAMESPACES}"


def name_of(number: int) -> str:
    """Name an agent, its target and its policy."""
    return f"agent-{number}"


def is_deployment(number: int) -> bool:
    """Tell whether an agent is a real Deployment."""
    return number % _EVERY == 0 and number < _EVERY * _MOST_DEPLOYMENTS


def prepare(bed: Bed) -> None:
    """Make the namespaces, and the kind of the crews."""
    names = [f"bench-{number}" for number in range(_NAMESPACES)]
    documents = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in names]
    listed = {"apiVersion": "v1", "kind": "List", "items": documents}
    bed.kubectl("apply", "--filename=-", stdin=json.dumps(listed))
    define_crews(bed)


def define_crews(bed: Bed) -> None:
    """Make the kind of the crews."""
    bed.kubectl("apply", "--filename=-", stdin=json.dumps(_crew_definition()))
    bed.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=30s")


def crew(name: str) -> Document:
    """Describe a crew of one member, who is ready."""
    return {
        "apiVersion": CREWS.api_version,
        "kind": "Crew",
        "metadata": {"name": name},
        "spec": {"replicas": 1},
        "status": {"replicas": 1, "readyReplicas": 1, "selector": f"app={name}"},
    }


async def grow(bed: Bed, begin: int, end: int, done: Callable[[int], None]) -> None:
    """Create the agents of these numbers; `done` is told how many more there are."""
    async with asyncio.timeout(300):
        api = await _connected(bed)
        try:
            for numbers in _chunks(range(begin, end)):
                await asyncio.gather(*(_create(api, number) for number in numbers))
                done(len(numbers))
        finally:
            await api.close()


async def forget(bed: Bed, count: int) -> None:
    """Take away all that the operator has recorded, as if it had never run."""
    api = await _connected(bed)
    try:
        for numbers in _chunks(range(count)):
            places = [
                POLICIES.at(namespace_of(number), name_of(number), "status") for number in numbers
            ]
            await asyncio.gather(*(api.patch(place, {"status": None}) for place in places))
    finally:
        await api.close()


async def settled(bed: Bed, count: int) -> bool:
    """Tell whether every Deployment has the replicas that it asks for."""
    api = await _connected(bed)
    try:
        found = [
            item async for page in api.list_pages(_DEPLOYMENTS.at()) for item in page["items"] or ()
        ]
    finally:
        await api.close()
    wanted = sum(is_deployment(number) for number in range(count))
    ready = [
        each
        for each in found
        if each["status"].get("readyReplicas", 0) == each["spec"]["replicas"]
        and each["metadata"]["namespace"].startswith("bench-")
    ]
    return len(ready) == wanted


async def _create(api: Api, number: int) -> None:
    place, document = _target(number)
    await api.create(place, document)
    await api.create(POLICIES.at(namespace_of(number)), _policy(number))


def _target(number: int) -> tuple[Place, Document]:
    if is_deployment(number):
        return _DEPLOYMENTS.at(namespace_of(number)), deployment(name_of(number))
    return CREWS.at(namespace_of(number)), crew(name_of(number))


def _policy(number: int) -> Document:
    target = {"name": name_of(number)}
    if not is_deployment(number):
        target |= {"apiVersion": CREWS.api_version, "kind": "Crew"}
    return {
        "apiVersion": conventions.API_VERSION,
        "kind": conventions.KIND,
        "metadata": {"name": name_of(number)},
        "spec": {"scaleTargetRef": target, "signals": {"capacity": {"perReplica": "4"}}},
    }


def _crew_definition() -> Document:
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}
        },
        # Without a status of its own an object is created whole, in one request.
        "subresources": {"scale": scale},
    }
    names = {"plural": "crews", "singular": "crew", "kind": "Crew"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"crews.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def _chunks(numbers: range) -> Iterator[Sequence[int]]:
    for first in range(0, len(numbers), _AT_ONCE):
        yield numbers[first : first + _AT_ONCE]


async def _connected(bed: Bed) -> Api:
    return await connect(
        bed.kubeconfig, limits=Limits(per_second=5000, burst=5000, timeout_seconds=60)
    )
