"""The right to write: a Lease, held by one replica at a time.

Never compares clocks of two machines: another holder is dead when its Lease has not changed for a
whole lease duration of our own monotonic time. A holder stops writing at the end of its validity,
counted from before its last successful request, which is earlier than anybody else may take over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, TypeVar

from agentscaler.act.leases import Lease
from agentscaler.clock import Clock
from agentscaler.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    LeadershipLostError,
    NotFoundError,
)
from agentscaler.report import logs

_LOG: Final = logs.logger("agentscaler.leadership")

T = TypeVar("T")
Read = Callable[[], Awaitable[Lease | None]]
"""Gives the Lease, or None if nobody has ever written it; raises ClusterError."""
Write = Callable[[Lease], Awaitable[Lease]]
"""Creates the Lease or replaces the version that was read; raises ClusterError if it changed."""

_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a Lease lasts, until when its holder may write, how often it is renewed."""

    duration: timedelta = timedelta(seconds=15)
    renew_deadline: timedelta = timedelta(seconds=10)
    renew_every: timedelta = timedelta(seconds=2)
    request_timeout: timedelta = timedelta(seconds=4)


class Elector:
    """Gets one Lease, keeps it while there is work, gives it back."""

    def __init__(
        self,
        identity: str,
        read: Read,
        write: Write,
        *,
        clock: Clock,
        terms: Terms | None = None,
        shards: int = 1,
    ) -> None:
        self._identity = identity
        self._read = read
        self._write = write
        self._clock = clock
        self._terms = terms or Terms()
        self._shards = shards
        self._valid_until = _NEVER
        self._lease: Lease | None = None
        self._unchanged_since = 0.0

    @property
    def holder(self) -> str:
        """Name who holds the Lease, as last seen; empty for nobody."""
        return self._lease.holder if self._lease else ""

    def may_write(self, margin: timedelta = timedelta(0)) -> bool:
        """Tell whether a write that takes up to `margin` is sure to end before our right to it."""
        return self._clock.monotonic() + margin.total_seconds() < self._valid_until

    async def hold(self, work: Awaitable[None]) -> None:
        """Run `work` while the Lease is held.

        Raises LeadershipLostError once the right to write is lost: the process has to end, for
        what it holds in memory is no longer the truth.
        """
        working = asyncio.ensure_future(work)
        try:
            await self._keep(working)
        finally:
            working.cancel()
            await asyncio.wait({working})

    async def _keep(self, working: "asyncio.Future[None]") -> None:
        # At once: what was asked since the claim may have taken most of the time it is good for.
        pause, every = 0.0, self._terms.renew_every.total_seconds()
        while not (await asyncio.wait({working}, timeout=pause))[0]:
            began = self._clock.monotonic()
            if not await self._renew() and not self.may_write():
                raise LeadershipLostError(self._loss())
            # After one that was waited for in vain, the next try must not wait as well.
            pause = max(0.0, every - (self._clock.monotonic() - began))
        working.result()

    def _loss(self) -> str:
        if self.holder == self._identity:
            seconds = self._terms.renew_deadline.total_seconds()
            return f"the lease could not be renewed for {seconds:g}s"
        return f"the lease is held by {self.holder or 'nobody'}"

    async def seek(self) -> bool:
        """Try once to become the holder."""
        try:
            found = await self._within(self._read())
            if found is not None and not self._is_free(found):
                return False
            await _to_the_end(self._take(found))
        except ForbiddenError as exc:
            _LOG.warning("lease not taken", error=str(exc))
            return False
        except (ClusterError, TimeoutError):
            return False
        return True

    async def _take(self, found: Lease | None) -> None:
        before = self._clock.monotonic()
        self._lease = await self._within(self._write(self._claim(found)))
        self._prolong(before)

    async def _renew(self) -> bool:
        """Try to stay the holder; a right that has ended is not revived.

        Somebody else may act by another Lease since, which would not make this write fail.
        """
        for _ in range(2):  # once more where a look found that it is still ours
            if self._lease is None or not self.may_write():
                return False
            before = self._clock.monotonic()
            try:
                self._lease = await self._within(self._write(self._renewed(self._lease)))
            except (ConflictError, NotFoundError):
                await self._look_again()
            except (ClusterError, TimeoutError):
                return False  # a look would take as long as another try
            else:
                return self._prolonged(before)
        return False

    def _prolonged(self, before: float) -> bool:
        if not self.may_write():  # it ended while the answer was on its way
            return False
        self._prolong(before)
        return True

    async def _look_again(self) -> None:
        """See whose the Lease is that is not as we left it; the next try builds on what is found.

        It is still ours where the answer to a renewal was lost.
        """
        try:
            found = await self._within(self._read())
        except (ClusterError, TimeoutError):
            return
        if found is None or found.holder != self._identity:
            self._valid_until = _NEVER  # somebody else took it, or it was deleted
        self._lease = found

    async def give_back(self) -> None:
        """Give the Lease back, so that the next holder need not wait for it to run out."""
        valid, self._valid_until = self.may_write(), _NEVER
        for _ in range(2):  # once more where a renewal that was broken off had been written
            if not valid or self._lease is None or self.holder != self._identity:
                return
            try:
                self._lease = await self._within(self._write(replace(self._lease, holder="")))
            except (ConflictError, NotFoundError):
                await self._look_again()
            except (ClusterError, TimeoutError):
                return

    def _is_free(self, found: Lease) -> bool:
        now = self._clock.monotonic()
        if self._lease != found:
            self._lease, self._unchanged_since = found, now
        is_dead = now - self._unchanged_since > found.duration_seconds
        return found.holder in {"", self._identity} or is_dead

    def _renewed(self, lease: Lease) -> Lease:
        """Say our own terms again: what somebody damaged does not stay."""
        return replace(
            lease,
            duration_seconds=round(self._terms.duration.total_seconds()),
            renewed_at=self._clock.now(),
            shards=self._shards,
        )

    def _claim(self, found: Lease | None) -> Lease:
        now = self._clock.now()
        taken_over = found is not None and found.holder != self._identity
        return Lease(
            holder=self._identity,
            duration_seconds=round(self._terms.duration.total_seconds()),
            acquired_at=now,
            renewed_at=now,
            transitions=found.transitions + taken_over if found else 0,
            shards=self._shards,
            resource_version=found.resource_version if found else "",
        )

    def _prolong(self, before: float) -> None:
        self._valid_until = before + self._terms.renew_deadline.total_seconds()

    async def _within(self, request: Awaitable[T]) -> T:
        # Not wait_for: before Python 3.12 it loses a cancellation that meets the answer.
        async with asyncio.timeout(self._terms.request_timeout.total_seconds()):
            return await request


async def _to_the_end(request: Coroutine[None, None, None]) -> None:
    """Let a request end before a cancellation is passed on: it may have done what it asks for."""
    asked = asyncio.create_task(request)
    try:
        await asyncio.shield(asked)
    except asyncio.CancelledError:
        await asyncio.gather(asked, return_exceptions=True)
        raise
