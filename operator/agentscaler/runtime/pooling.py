"""Connections that are kept: for anything that opens and closes and has no pool of its own.

For HTTP use what httpx or aiohttp bring. No locks: who gets which connection is decided between two
awaits of one event loop; opening, checking and closing come after the decision.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from agentscaler.clock import Clock, SystemClock
from agentscaler.runtime.errors import PoolError, PoolTimeoutError, ShuttingDownError

logger = logging.getLogger(__name__)

Connection = TypeVar("Connection")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """How many connections, how long one may lie idle, how long a caller may wait for one."""

    min_size: int = 2
    max_size: int = 10
    max_idle_seconds: float = 300.0
    acquire_timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Refuse sizes that contradict each other, and a keeper that never rests."""
        if not 0 <= self.min_size <= self.max_size or self.max_size < 1:
            raise ValueError("sizes must be 0 <= min_size <= max_size and max_size at least 1")
        if self.max_idle_seconds <= 0:
            raise ValueError("max_idle_seconds must be positive")


@dataclass(frozen=True, slots=True)
class PoolStats:
    """What a pool holds: `created` exist now, being opened included; `waiting` are callers."""

    created: int
    in_use: int
    available: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Connector(Generic[Connection]):
    """How to open, close and check one connection.

    `check` says whether a connection still works, or raises; without it every one is trusted until
    its user fails.
    """

    open: Callable[[], Awaitable[Connection]]
    close: Callable[[Connection], Awaitable[None]]
    check: Callable[[Connection], Awaitable[bool]] | None = None


@dataclass(frozen=True, slots=True)
class _Idle(Generic[Connection]):
    connection: Connection
    since: float


# What a waiting caller is handed: a connection, or None for the right to open one.
Grant = _Idle[Connection] | None


class Pool(Generic[Connection]):
    """Between `min_size` and `max_size` connections, lent in the order of asking.

        async with Pool(Connector(open, close, check)) as pool:
            async with pool.connection() as connection: ...

    A connection whose user fails or is cancelled is closed, not lent again: nobody knows what it
    was in the middle of.
    """

    def __init__(
        self,
        connector: Connector[Connection],
        options: PoolOptions | None = None,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._connector = connector
        self._options = options or PoolOptions()
        self._clock = clock or SystemClock()
        self._idle: deque[_Idle[Connection]] = deque()  # the longest idle first
        self._line: deque[asyncio.Future[Grant[Connection]]] = deque()
        self._created = 0
        self._in_use = 0
        self._closing: set[asyncio.Task[None]] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        """Open `min_size` connections; raises `PoolError` if one cannot be."""
        try:
            await self._fill()
        except BaseException:
            await self.aclose()
            raise
        self._keeper = asyncio.create_task(self._keep(), name="agentscaler-pool")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self.aclose()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection that works.

        Raises `PoolTimeoutError` if none is to be had in time, `PoolError` if none can be opened.
        """
        connection = await self._acquired()
        self._in_use += 1
        try:
            yield connection
        except BaseException:
            self._in_use -= 1
            self._discard(connection)
            raise
        self._in_use -= 1
        self._give_back(_Idle(connection, self._clock.monotonic()))

    def stats(self) -> PoolStats:
        """Tell what the pool holds."""
        return PoolStats(self._created, self._in_use, len(self._idle), len(self._line))

    async def aclose(self) -> None:
        """Lend nothing more and close what is idle; what is lent is closed when it comes back."""
        self._closed = True
        if self._keeper is not None:
            self._keeper.cancel()
        while self._line:
            waiter = self._line.popleft()
            if not waiter.done():
                waiter.set_exception(ShuttingDownError("the pool is closed"))
        while self._idle:
            self._discard(self._idle.popleft().connection)
        if self._closing:
            await asyncio.wait(self._closing)

    async def _acquired(self) -> Connection:
        try:
            async with asyncio.timeout(self._options.acquire_timeout_seconds):
                return await self._usable()
        except TimeoutError as exc:
            limit = self._options.acquire_timeout_seconds
            raise PoolTimeoutError(f"no connection became free within {limit:g} s") from exc

    async def _usable(self) -> Connection:
        """Turn what is granted into a connection that works, or give up the place in the pool."""
        grant = await self._granted()
        try:
            if grant is not None:
                if self._is_fresh(grant) and await self._passes(grant.connection):
                    return grant.connection
                self._close_later(grant.connection)
                grant = None
            return await self._opened()
        except BaseException:
            if grant is not None:
                self._close_later(grant.connection)
            self._free_place()
            raise

    async def _granted(self) -> Grant[Connection]:
        """Get an idle connection or the right to open one, in the order of asking."""
        if self._closed:
            raise ShuttingDownError("the pool is closed")
        if self._idle:
            return self._idle.pop()  # the one used last: the others can grow old and be closed
        if self._created < self._options.max_size:
            self._created += 1
            return None
        waiter: asyncio.Future[Grant[Connection]] = asyncio.get_running_loop().create_future()
        self._line.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter in self._line:
                self._line.remove(waiter)
            elif not waiter.cancelled() and waiter.exception() is None:
                self._return_grant(waiter.result())  # it came in the same instant
            raise

    def _give_back(self, idle: _Idle[Connection]) -> None:
        if self._closed:
            self._discard(idle.connection)
        elif not self._handed_on(idle):
            self._idle.append(idle)

    def _free_place(self) -> None:
        """Let the first in line open a connection in place of the one that is gone."""
        if not self._handed_on(None):
            self._created -= 1

    def _return_grant(self, grant: Grant[Connection]) -> None:
        if grant is None:
            self._free_place()
        else:
            self._give_back(grant)

    def _handed_on(self, grant: Grant[Connection]) -> bool:
        while self._line:
            waiter = self._line.popleft()
            if not waiter.done():
                waiter.set_result(grant)
                return True
        return False

    async def _opened(self) -> Connection:
        try:
            return await self._connector.open()
        except Exception as exc:
            raise PoolError(f"a connection could not be opened: {exc!r}") from exc

    async def _passes(self, connection: Connection) -> bool:
        if self._connector.check is None:
            return True
        try:
            return await self._connector.check(connection)
        except Exception as exc:  # noqa: BLE001 - a check that fails in any way has its answer
            logger.debug("a pooled connection failed its check: %r", exc)
            return False

    def _is_fresh(self, idle: _Idle[Connection]) -> bool:
        return self._clock.monotonic() - idle.since <= self._options.max_idle_seconds

    def _discard(self, connection: Connection) -> None:
        self._close_later(connection)
        self._free_place()

    def _close_later(self, connection: Connection) -> None:
        """Close in a task of its own: a slow close is not the caller's, nor is its failure."""
        task = asyncio.create_task(self._close(connection), name="agentscaler-pool-close")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self, connection: Connection) -> None:
        try:
            await self._connector.close(connection)
        except Exception as exc:  # noqa: BLE001 - it is gone from the pool in any case
            logger.warning("a pooled connection did not close: %r", exc)

    async def _fill(self) -> None:
        """Open what the pool lacks to its minimum."""
        while self._created < self._options.min_size and not self._closed:
            self._created += 1
            try:
                connection = await self._opened()
            except BaseException:
                self._free_place()
                raise
            self._give_back(_Idle(connection, self._clock.monotonic()))

    async def _keep(self) -> None:
        """Replace what has lain idle for too long, as long as the pool lives."""
        while True:
            await self._clock.sleep(self._options.max_idle_seconds / 4)
            while self._idle and not self._is_fresh(self._idle[0]):
                self._discard(self._idle.popleft().connection)
            try:
                await self._fill()
            except PoolError as exc:
                logger.warning("the pool stays below its minimum for now: %s", exc)
