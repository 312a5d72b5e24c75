"""At most so many at once; a bounded number of others wait, first come, first served.

Counts only, without locks: every change happens between two awaits of one event loop. A slot is
handed from the one that leaves to the first that waits, so nobody can overtake.
"""

import asyncio
from collections import OrderedDict
from contextlib import suppress

from agentscaler.runtime.errors import QueueFullError, WaitTimeoutError

Place = asyncio.Future[None]


class ConcurrencyLimit:
    """Slots for `max_concurrent` at once and room for `max_queued` in line.

    `max_wait_seconds` bounds the time in line; None lets them wait for ever.
    """

    __slots__ = ("_idle", "_line", "active", "max_concurrent", "max_queued", "max_wait_seconds")

    def __init__(
        self,
        max_concurrent: int = 10,
        max_queued: int = 100,
        max_wait_seconds: float | None = 30.0,
    ) -> None:
        if max_concurrent < 1 or max_queued < 0:
            raise ValueError("max_concurrent must be at least 1 and max_queued at least 0")
        self.max_concurrent = max_concurrent
        self.max_queued = max_queued
        self.max_wait_seconds = max_wait_seconds
        self.active = 0
        self._line: OrderedDict[Place, None] = OrderedDict()
        self._idle: set[Place] = set()

    @property
    def queued(self) -> int:
        """How many wait for a slot."""
        return len(self._line)

    def try_enter(self) -> bool:
        """Take a slot if one is free; nobody waits while one is."""
        if self.active < self.max_concurrent:
            self.active += 1
            return True
        return False

    def line_up(self) -> Place:
        """Take the last place in line; raises `QueueFullError`."""
        if len(self._line) >= self.max_queued:
            raise QueueFullError(f"{self.max_queued} requests wait already")
        loop = asyncio.get_running_loop()
        place: Place = loop.create_future()
        self._line[place] = None
        if self.max_wait_seconds is not None:
            late = WaitTimeoutError(f"no slot became free within {self.max_wait_seconds:g} s")
            timer = loop.call_later(self.max_wait_seconds, self.give_up, place, late)
            place.add_done_callback(lambda _: timer.cancel())
        return place

    async def turn(self, place: Place) -> None:
        """Wait until `place` comes to a slot; the slot is the caller's to `leave`.

        Raises what `give_up` was given.
        """
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave()  # the slot arrived in the same instant: pass it on
            self._line.pop(place, None)
            raise

    async def enter(self) -> None:
        """Take a slot, in line if need be; raises `QueueFullError` or `WaitTimeoutError`."""
        if not self.try_enter():
            await self.turn(self.line_up())

    def give_up(self, place: Place, why: Exception) -> None:
        """Take `place` out of the line, unless its turn has come."""
        if not place.done():
            del self._line[place]
            place.set_exception(why)

    def leave(self) -> None:
        """Hand the slot to the first in line, or free it."""
        while self._line:
            place, _ = self._line.popitem(last=False)
            if not place.done():
                place.set_result(None)
                return
        self.active -= 1
        if not self.active:
            while self._idle:
                self._idle.pop().set_result(None)

    async def idle(self) -> None:
        """Wait until nothing is active."""
        if not self.active:
            return
        waiter: Place = asyncio.get_running_loop().create_future()
        self._idle.add(waiter)
        try:
            await waiter
        finally:
            with suppress(KeyError):
                self._idle.remove(waiter)
