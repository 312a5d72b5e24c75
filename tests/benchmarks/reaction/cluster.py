"""The workloads, and whatever is to scale them, in one namespace each time.

The Deployments have no pods: their controller does not run, and we say of each count that is asked
for that it is ready. So 5,000 of them cost no more than their objects.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from agentscaler.act.client import Api, Limits, connect
from agentscaler.act.places import Resource
from agentscaler.errors import ClusterError, NotFoundError
from tests.bed import Bed
from tests.bed.processes import Program
from tests.benchmarks.reaction.loads import FIRST_REPLICAS
from tests.benchmarks.reaction.stage import Stage

DEPLOYMENTS: Final = Resource("apps/v1", "deployments")
_AT_ONCE: Final = 48
_LIMITS: Final = Limits(concurrency=_AT_ONCE, per_second=5000, burst=5000, timeout_seconds=60)

Document = dict[str, Any]


async def connected(kubeconfig: Path) -> Api:
    """Connect as an administrator in a hurry."""
    return await connect(kubeconfig, limits=_LIMITS)


async def each(work: Callable[[str], Awaitable[object]], names: Iterable[str]) -> None:
    """Do the work for all names, some of them at the same time."""
    left = iter(names)

    async def worker() -> None:
        for name in left:
            await work(name)

    await asyncio.gather(*(worker() for _ in range(_AT_ONCE)))


def restart_manager(bed: Bed, *flags: str) -> None:
    """Start the controller manager anew, with these flags."""
    manager = bed.programs["kube-controller-manager"]
    assert isinstance(manager, Program), "the benchmark needs the local cluster"
    restart(manager, *flags)


def restart(program: Program, *flags: str) -> None:
    """Start a program anew, with these flags in place of those of the same names."""
    names = tuple(f"{flag.partition('=')[0]}=" for flag in flags)
    program.stop()
    program.argv = [each for each in program.argv if not str(each).startswith(names)] + [*flags]
    program.start()
    program.wait_ready()


def prepare(bed: Bed, namespace: str) -> None:
    """Make the namespace."""
    bed.kubectl("create", "namespace", namespace)


async def create_targets(api: Api, namespace: str, names: Sequence[str]) -> None:
    """Create the Deployments, each with its first replicas ready."""

    async def create(name: str) -> None:
        await api.create(DEPLOYMENTS.at(namespace), _deployment(name))
        await _confirm(api, namespace, name, FIRST_REPLICAS)

    await each(create, names)


async def create(
    api: Api,
    resource: Resource,
    namespace: str,
    names: Sequence[str],
    document: Callable[[str], Document],
) -> None:
    """Create an object for each name."""
    await each(lambda name: api.create(resource.at(namespace), document(name)), names)


async def patch(
    api: Api, resource: Resource, namespace: str, names: Sequence[str], change: Document
) -> None:
    """Change the spec of the object of each name."""
    await each(lambda name: api.patch(resource.at(namespace, name), {"spec": change}), names)


async def clear(bed: Bed, api: Api, namespace: str, resources: Iterable[Resource]) -> None:
    """Remove all objects of these kinds, also those whose controllers are not there any more."""
    for resource in resources:
        place = resource.at(namespace)
        await asyncio.to_thread(bed.kubectl, "delete", "--raw", place.path, timeout=300)
        held = [
            item["metadata"]["name"]
            async for page in api.list_pages(place)
            for item in page["items"] or ()
        ]
        release = {"metadata": {"finalizers": None}}
        await each(partial(_patch_if_there, api, resource, namespace, release), held)


async def _patch_if_there(
    api: Api, resource: Resource, namespace: str, change: Document, name: str
) -> None:
    with contextlib.suppress(NotFoundError):
        await api.patch(resource.at(namespace, name), change)


class Following:
    """Watches the Deployments: dates the answers, and says of what was asked for that it runs."""

    def __init__(self, api: Api, namespace: str, stage: Stage) -> None:
        self._api = api
        self._namespace = namespace
        self._stage = stage
        self._replicas: dict[str, int] = {}
        self._confirming: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Follow until cancelled."""
        place = DEPLOYMENTS.at(self._namespace)
        version = await self._list()
        while True:
            async with self._api.watch(place, version) as events:
                async for event in events:
                    if event["type"] == "ERROR":
                        raise ClusterError(json.dumps(event["object"]))
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] == "MODIFIED":
                        self._note(event["object"], time.monotonic())

    async def _list(self) -> str:
        version = ""
        async for page in self._api.list_pages(DEPLOYMENTS.at(self._namespace)):
            version = page["metadata"]["resourceVersion"]
            for item in page["items"] or ():
                self._replicas[item["metadata"]["name"]] = item["spec"]["replicas"]
        return version

    def _note(self, deployment: Document, now: float) -> None:
        name, replicas = deployment["metadata"]["name"], deployment["spec"]["replicas"]
        before = self._replicas.get(name, replicas)
        self._replicas[name] = replicas
        if replicas > before:
            self._stage.steps.answer(name, now)
        if replicas != before:
            task = asyncio.create_task(_confirm(self._api, self._namespace, name, replicas))
            self._confirming.add(task)
            task.add_done_callback(self._confirming.discard)


async def _confirm(api: Api, namespace: str, name: str, replicas: int) -> None:
    """Say that so many replicas run, as a Deployment's controller would."""
    counts = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")
    with contextlib.suppress(NotFoundError):  # removed meanwhile
        place = DEPLOYMENTS.at(namespace, name, "status")
        await api.patch(place, {"status": dict.fromkeys(counts, replicas)})


def _deployment(name: str) -> Document:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": FIRST_REPLICAS,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "agent", "image": "agent:1"}]},
            },
        },
    }
