"""Know the targets of all policies without asking for each: one list and watch per kind in use."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple

from agentscaler.act import definitions, discovery, managers, scale, workloads
from agentscaler.act.calls import Body
from agentscaler.act.client import Api
from agentscaler.act.definitions import ScalePaths
from agentscaler.act.mirror import ObjectKey
from agentscaler.act.mirrors import Mirrors
from agentscaler.act.places import PLAIN_KINDS, Kind, Resource, TargetKey
from agentscaler.act.workloads import Target
from agentscaler.api.policy import ScaleTargetRef
from agentscaler.clock import Clock
from agentscaler.errors import ClusterError, NotFoundError

# A kind that cannot be followed (not installed, no /scale) is looked up again this often.
_RETRY_SECONDS: Final = 30.0


class _Refusal(NamedTuple):
    error: ClusterError
    at: float


class Targets:
    """The workloads of the kinds that policies name, kept in step with the cluster.

    `namespaces` empty means all. `on_change` is told which workload changed in a way that matters
    (counts, rollout, writer), appeared or went.
    """

    def __init__(
        self,
        api: Api,
        *,
        clock: Clock,
        namespaces: Sequence[str] = (),
        on_change: Callable[[TargetKey], None] = lambda key: None,
    ) -> None:
        self._api = api
        self._clock = clock
        self._namespaces = tuple(namespaces)
        self._on_change = on_change
        self._followed: dict[Kind, Mirrors[Target]] = {}
        self._refused: dict[Kind, _Refusal] = {}
        self._lock = asyncio.Lock()

    async def follow(self, kinds: Iterable[Kind]) -> None:
        """Follow exactly these kinds from now on; what cannot be followed is told by `find`."""
        wanted = set(kinds)
        async with self._lock:
            for kind in self._followed.keys() - wanted:
                await self._followed.pop(kind).stop()
            self._refused = {kind: self._refused[kind] for kind in self._refused.keys() & wanted}
            # At once: a pass waits for it, and policies may name many kinds that do not exist.
            await asyncio.gather(*(self._begin(kind) for kind in wanted - self._followed.keys()))

    async def close(self) -> None:
        """Stop following."""
        await self.follow(())

    async def settled(self) -> None:
        """Wait until each followed kind has been listed, or failed to be, once."""
        for mirrors in tuple(self._followed.values()):
            await mirrors.settled()

    @property
    def synced(self) -> bool:
        """Tell whether each followed kind has been listed."""
        return all(mirrors.synced for mirrors in self._followed.values())

    def age_seconds(self) -> float:
        """Tell how long ago the server last confirmed the oldest of what is known here."""
        return max((mirrors.age_seconds() for mirrors in self._followed.values()), default=0.0)

    def find(self, namespace: str, ref: ScaleTargetRef) -> Target | None:
        """Give the target as last seen; None if there is no such workload.

        Raises NotFoundError or NotScalableError for a kind that cannot be a target, and another
        ClusterError, with the reason, while nothing is known of the kind.
        """
        kind = Kind(ref.api_version, ref.kind)
        if kind in self._followed:
            return self._followed[kind].find(namespace, ref.name)
        refusal = self._refused.get(kind)
        if refusal is None:
            raise ClusterError(f"{kind} is not followed yet")
        raise type(refusal.error)(str(refusal.error))

    async def _begin(self, kind: Kind) -> None:
        now = self._clock.monotonic()
        if kind in self._refused and now - self._refused[kind].at < _RETRY_SECONDS:
            return
        try:
            resource = await discovery.scalable(self._api, kind)
            read = await self._reader(kind, resource)
        except ClusterError as exc:
            self._refused[kind] = _Refusal(exc, now)
            return
        self._refused.pop(kind, None)
        mirrors = Mirrors(
            self._api,
            resource,
            self._namespaces,
            read=read,
            on_change=lambda key, _before, _after: self._changed(kind, key),
            clock=self._clock,
        )
        mirrors.start()
        self._followed[kind] = mirrors

    def _changed(self, kind: Kind, key: ObjectKey) -> None:
        namespace, name = key
        self._on_change(TargetKey(namespace, kind.name, name))

    async def _reader(
        self, kind: Kind, resource: Resource
    ) -> Callable[[Body, Target | None], Awaitable[Target | None]]:
        if kind in PLAIN_KINDS:
            return _read_plain
        paths = await definitions.scale_paths(self._api, kind, resource)
        if paths is None:
            return _ScaledReader(self._api, resource).read
        return partial(_read_custom, paths)


async def _read_plain(body: Body, _before: Target | None) -> Target:
    return workloads.read_plain(body)


async def _read_custom(paths: ScalePaths, body: Body, _before: Target | None) -> Target:
    return workloads.read_custom(body, paths)


class _ScaledReader:
    """Reads objects of one kind that keeps its count who knows where, by one request for each."""

    def __init__(self, api: Api, resource: Resource) -> None:
        self._api = api
        self._resource = resource
        self._path = managers.REPLICAS

    async def read(self, body: Body, before: Target | None) -> Target | None:
        """Ask for the scale of an object, unless its version is known."""
        metadata = body["metadata"]
        if before is not None and before.resource_version == metadata["resourceVersion"]:
            return before
        place = self._resource.at(metadata["namespace"], metadata["name"], "scale")
        try:
            seen = scale.read(await self._api.get(place))
        except NotFoundError:
            return None  # deleted since; its event is on the way
        # One object that was ever scaled shows where all of its kind keep their counts.
        self._path = managers.path_of_count(metadata) or self._path
        return workloads.read_scaled(body, seen, self._path)
