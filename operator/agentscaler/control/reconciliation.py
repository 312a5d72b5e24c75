"""Make good what a watch may have missed: compare the registry with a list of all policies.

Deletions around a new list of the watch never reach its handlers, so what is not listed is dropped.
A namespace in which the operator has lost its rights is left out, and must not hold up the others.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from agentscaler.act.client import Api
from agentscaler.act.mirror import ObjectKey
from agentscaler.act.policies import PolicyVersion, list_policies, read_policy
from agentscaler.clock import Clock
from agentscaler.control.registry import Entry, Registry
from agentscaler.errors import ClusterError, ForbiddenError, NotFoundError
from agentscaler.report import logs

_EVERYWHERE: Final = ""
_EVERY_SECONDS: Final = 300.0
_RETRY_SECONDS: Final = 1.0
_GLANCE_SECONDS: Final = 0.1
# How long the watch may take to tell of all policies before they are read one by one.
_PATIENCE_SECONDS: Final = 20.0
_CURE: Final = (
    "give the namespace its Role and RoleBinding back, or take it out of watchNamespaces; what is "
    "known of its policies is kept, and it is looked at again"
)
_LOG: Final = logs.logger("agentscaler.reconciliation")


class Reconciler:
    """Compares, and reads what differs; `look_at` is told which policies changed by that."""

    def __init__(
        self,
        api: Api,
        registry: Registry,
        *,
        namespaces: Sequence[str],
        look_at: Callable[[set[str]], None],
        clock: Clock,
    ) -> None:
        self._api = api
        self._registry = registry
        self._namespaces = tuple(dict.fromkeys(namespaces)) or (_EVERYWHERE,)
        self._left_out: frozenset[str] = frozenset()
        self._look_at = look_at
        self._clock = clock

    async def catch_up(self) -> None:
        """Wait until the registry knows every policy at its newest version.

        Two policies on one target must both be known before either may act.
        """
        until = self._clock.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                unknown = await self._differing()
                if unknown and self._clock.monotonic() > until:
                    await self._read(unknown)
                    unknown = set()
            except ClusterError as exc:
                _LOG.warning("policies not listed", error=str(exc))
            else:
                if not unknown:
                    return
                if await self._told_of(unknown, until):
                    continue
            await self._clock.sleep(_RETRY_SECONDS)

    async def _told_of(self, keys: Collection[tuple[str, str]], until: float) -> bool:
        """Wait until the watch has told of these, at whichever version; tell whether it had to.

        A list of ten thousand takes half a second of us and of the server: not again each second.
        """
        unheard = self._unheard(keys)
        waits = bool(unheard)
        while unheard and self._clock.monotonic() < until:
            await self._clock.sleep(_GLANCE_SECONDS)
            unheard = self._unheard(unheard)
        return waits and not unheard

    def _unheard(self, keys: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        return {
            (namespace, name)
            for namespace, name in keys
            if self._registry.owns(namespace) and self._registry.find(f"{namespace}/{name}") is None
        }

    async def run(self) -> None:
        """Compare every five minutes, until cancelled."""
        while True:
            await self._clock.sleep(_EVERY_SECONDS)
            try:
                await self._read(await self._differing())
            except ClusterError as exc:
                _LOG.warning("policies not listed", error=str(exc))

    async def _differing(self) -> set[tuple[str, str]]:
        """Drop the policies that are gone; give those that are unknown or not the newest."""
        known = tuple(self._registry)
        listed = await self._list()
        for entry in known:
            is_listed = (entry.namespace, entry.name) in listed
            if not is_listed and entry.namespace not in self._left_out:
                self._drop(entry)
        differing = set()
        for (namespace, name), version in listed.items():
            if not self._registry.owns(namespace):
                continue
            found = self._registry.find(f"{namespace}/{name}")
            seen = found and (found.uid, found.resource_version)
            if seen != (version.uid, version.resource_version):
                differing.add((namespace, name))
        return differing

    def _drop(self, entry: Entry) -> None:
        """Forget a policy, unless the watch has told of a namesake while we listed."""
        if self._registry.find(entry.key) is entry:
            self._look_at(self._registry.drop(entry.key) | {entry.key})

    async def _list(self) -> dict[ObjectKey, PolicyVersion]:
        """List the policies wherever that is allowed; raise ForbiddenError if it is nowhere."""
        listed: dict[ObjectKey, PolicyVersion] = {}
        refused: dict[str, ForbiddenError] = {}
        for namespace in self._namespaces:
            try:
                listed |= await list_policies(self._api, namespace)
            except ForbiddenError as exc:
                refused[namespace] = exc
        if len(refused) == len(self._namespaces):
            raise refused[self._namespaces[0]]
        self._leave_out(refused)
        return listed

    def _leave_out(self, refused: Mapping[str, ForbiddenError]) -> None:
        """Take up which namespaces may not be listed, and tell what changed of that."""
        for namespace in sorted(refused.keys() - self._left_out):
            error = str(refused[namespace])
            _LOG.warning("namespace left out", namespace=namespace, error=error, cure=_CURE)
        for namespace in sorted(self._left_out - refused.keys()):
            _LOG.info("namespace followed again", namespace=namespace)
        self._left_out = frozenset(refused)

    async def _read(self, keys: set[tuple[str, str]]) -> None:
        await asyncio.gather(*(self._read_one(namespace, name) for namespace, name in keys))

    async def _read_one(self, namespace: str, name: str) -> None:
        try:
            body = await read_policy(self._api, namespace, name)
        except NotFoundError:
            return
        self._look_at(self._registry.note("MODIFIED", body))
