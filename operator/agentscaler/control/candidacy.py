"""Which shard this replica leads: one that nobody else does, once no other division is in force.

When the number of shards changes, namespaces change hands between different Leases, which exclude
nobody. So whoever got a Lease looks afterwards for holders of any that divide otherwise, and gives
its own back while there are any. Of two that claim at once, each has written before it looks, so at
least one sees the other: there may be a moment without a leader, and never two.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final, TypeAlias

from agentscaler.act.client import Api
from agentscaler.act.leases import Lease, list_leases, read_lease, write_lease
from agentscaler.clock import Clock
from agentscaler.control import sharding
from agentscaler.control.leadership import Elector, Terms
from agentscaler.control.sharding import Shard
from agentscaler.errors import ClusterError
from agentscaler.report import logs

Look: TypeAlias = Callable[[], Awaitable[Mapping[str, Lease]]]
"""Gives the Leases of other divisions by their names; raises ClusterError."""

_LOG: Final = logs.logger("agentscaler.leadership")
_SEEK_EVERY: Final = timedelta(seconds=1)
# As long as a renewal: the Lease that was claimed runs meanwhile.
_LOOK_SECONDS: Final = Terms().request_timeout.total_seconds()
_RENEWAL_LOOKED_FOR: Final = timedelta(seconds=0.1)


class Candidacy:
    """Seeks a shard without a leader, and leads it."""

    def __init__(
        self,
        electors: Mapping[Shard, Elector],
        look: Look,
        *,
        clock: Clock,
        seek_every: timedelta = _SEEK_EVERY,
    ) -> None:
        self._electors = dict(electors)
        self._look = look
        self._clock = clock
        self._seek_every = seek_every
        self._others: dict[str, tuple[Lease, float]] = {}
        self._disturbed = False

    def may_write(self, margin: timedelta = timedelta(0)) -> bool:
        """Tell whether a write that takes up to `margin` is sure to end before our right to it."""
        return any(elector.may_write(margin) for elector in self._electors.values())

    async def right_to_write(self, margin: timedelta) -> bool:
        """Wait until a write that takes up to `margin` is allowed; False once the right is lost.

        It waits for a renewal that is late: to end the process would cost far more.
        """
        while not self.may_write(margin):
            if not self.may_write():
                return False
            await self._clock.sleep(_RENEWAL_LOOKED_FOR.total_seconds())
        return True

    async def lead(self, work: Callable[[Shard], Awaitable[None]]) -> None:
        """Wait for a shard, run `work` on it while its Lease is held, and give the Lease back.

        Raises LeadershipLostError once the right to write is lost: the process has to end, for
        what it holds in memory is no longer the truth.
        """
        try:
            while (shard := await self._seek()) is None:
                await self._clock.sleep(self._seek_every.total_seconds() * _jitter())
            await self._electors[shard].hold(work(shard))
        finally:
            await asyncio.gather(*(elector.give_back() for elector in self._electors.values()))

    async def _seek(self) -> Shard | None:
        """Try each shard once, from another one each time, so that replicas spread."""
        if self._disturbed and not await self._is_undisturbed():
            return None
        for shard in random.sample(list(self._electors), len(self._electors)):
            elector = self._electors[shard]
            if await elector.seek():
                if await self._is_undisturbed():
                    return shard
                await elector.give_back()
                return None
        return None

    async def _is_undisturbed(self) -> bool:
        """Tell whether nobody holds a Lease of another division; in doubt somebody does."""
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                found = await self._look()
        except (ClusterError, TimeoutError) as exc:
            _LOG.warning("leases not listed, so nothing is led", error=str(exc))
            self._disturbed = True
        else:
            now = self._clock.monotonic()
            self._others = {
                name: (lease, self._unchanged_since(name, lease, now))
                for name, lease in found.items()
            }
            self._hear_of(
                lease.holder
                for lease, since in self._others.values()
                if lease.holder and now - since <= lease.duration_seconds
            )
        return not self._disturbed

    def _hear_of(self, holders: Iterable[str]) -> None:
        others = sorted(holders)
        if others and not self._disturbed:
            _LOG.info("waiting for those of another number of shards", holders=others)
        self._disturbed = bool(others)

    def _unchanged_since(self, name: str, lease: Lease, now: float) -> float:
        known, since = self._others.get(name, (None, now))
        return since if known == lease else now


def candidate(
    api: Api, identity: str, lease: tuple[str, str], count: int, *, clock: Clock
) -> Candidacy:
    """Stand for each of `count` shards; `lease` is the namespace and the name of the first's."""
    namespace, base = lease

    def elector(shard: Shard) -> Elector:
        place = (api, namespace, shard.lease_name(base))
        read, write = partial(read_lease, *place), partial(write_lease, *place)
        return Elector(identity, read, write, clock=clock, shards=count)

    async def look() -> Mapping[str, Lease]:
        return sharding.of_other_divisions(await list_leases(api, namespace), base, count)

    return Candidacy({shard: elector(shard) for shard in sharding.shards(count)}, look, clock=clock)


def _jitter() -> float:
    return random.uniform(0.8, 1.2)  # noqa: S311  (keeps replicas from asking in step)
