"""Requests that wait for a backend: bounded, with a deadline, by priority, then first come.

They wait for room, and also when there is no backend at all, as at zero replicas: the operator sees
the line and adds replicas.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

from agentscaler.gateway.backends import Lease, Pool
from agentscaler.gateway.errors import LineFullError, WaitTimeoutError
from agentscaler.gateway.routing.picking import Request

SWEEP_BEYOND: Final = 64


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A request's right in line: it keeps it when its backend turns out to be unreachable."""

    rank: tuple[int, int]
    arrived_at: float = field(compare=False)


@dataclass(slots=True, order=True)
class _Waiting:
    place: Place
    request: Request = field(compare=False)
    lease: asyncio.Future[Lease] = field(compare=False)


class Line:
    """Who waits for `pool`."""

    def __init__(self, pool: Pool, *, max_waiting: int = 1000, wait_seconds: float = 30.0) -> None:
        self.wait_seconds = wait_seconds
        self._pool = pool
        self._max_waiting = max_waiting
        self._numbers = count()
        self._heap: list[_Waiting] = []
        self._depth = 0
        self.on_wait: Callable[[], None] = lambda: None
        pool.on_room = self._serve

    @property
    def depth(self) -> int:
        """How many wait."""
        return self._depth

    def arrive(self, priority: int) -> Place:
        """Take a place; the higher `priority` goes first."""
        return Place((-priority, next(self._numbers)), self._pool.clock.monotonic())

    async def turn(self, place: Place, request: Request) -> Lease:
        """Wait for a backend; the lease is the caller's to give back.

        Raises `LineFullError` or `WaitTimeoutError`, the latter `wait_seconds` after the arrival.
        """
        if not self._depth:
            lease = self._pool.try_take(request)
            if lease is not None:
                return lease
        if self._depth >= self._max_waiting:
            raise LineFullError(f"{self._max_waiting} requests wait already")
        return await self._wait(place, request)

    async def _wait(self, place: Place, request: Request) -> Lease:
        lease: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        heappush(self._heap, _Waiting(place, request, lease))
        self._depth += 1
        left = place.arrived_at + self.wait_seconds - self._pool.clock.monotonic()
        timer = asyncio.get_running_loop().call_later(left, _give_up, lease, self.wait_seconds)
        self._serve()
        self.on_wait()
        try:
            return await lease
        except asyncio.CancelledError:
            if lease.done() and not lease.cancelled() and lease.exception() is None:
                lease.result().release()  # it arrived in the same instant: pass it on
            raise
        finally:
            timer.cancel()
            self._depth -= 1
            self._sweep()

    def _sweep(self) -> None:
        """Drop those whose clients have gone, once they are more than those who wait."""
        if len(self._heap) > 2 * self._depth + SWEEP_BEYOND:
            self._heap = [each for each in self._heap if not each.lease.done()]
            heapify(self._heap)

    def _serve(self) -> None:
        """Give leases to the first in line for as long as somebody has room."""
        while self._heap:
            if self._heap[0].lease.done():
                heappop(self._heap)
                continue
            lease = self._pool.try_take(self._heap[0].request)
            if lease is None:
                return
            heappop(self._heap).lease.set_result(lease)


def _give_up(lease: asyncio.Future[Lease], seconds: float) -> None:
    if not lease.done():
        lease.set_exception(WaitTimeoutError(f"no backend had room within {seconds:g} s"))
