"""Answers kept for a while, bounded, and computed once however many ask at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cachetools import TLRUCache

from agentscaler.clock import Clock, SystemClock

DEFAULT_TTL_SECONDS: Final = 300.0

Value = TypeVar("Value")
Fallback = TypeVar("Fallback")


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache has done since it was made."""

    entries: int
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Value]):
    value: Value
    ttl_seconds: float


@dataclass(slots=True)
class _Computation(Generic[Value]):
    task: asyncio.Task[Value]
    waiting: int = 0


class Cache(Generic[Value]):
    """At most `max_entries`, each for its own time; the least recently used goes first.

    A time to live of 0 keeps nothing. Any value can be kept, None included.
    """

    def __init__(
        self,
        *,
        max_entries: int = 1000,
        ttl_seconds: float = DEFAULT_TTL_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        if max_entries < 1:
            raise ValueError("max_entries must be at least 1; a ttl_seconds of 0 keeps nothing")
        self._ttl_seconds = ttl_seconds
        self._kept: TLRUCache[Hashable, _Entry[Value]] = TLRUCache(
            max_entries,
            ttu=lambda _key, entry, now: now + entry.ttl_seconds,
            timer=(clock or SystemClock()).monotonic,
        )
        self._computing: dict[Hashable, _Computation[Value]] = {}
        self._hits = 0
        self._misses = 0

    def find(self, key: Hashable, default: Fallback) -> Value | Fallback:
        """Give the value kept for `key`, else `default`."""
        entry = self._kept.get(key)
        if entry is None:
            self._misses += 1
            return default
        self._hits += 1
        return entry.value

    def keep(self, key: Hashable, value: Value, *, ttl_seconds: float | None = None) -> None:
        """Keep `value`; for the cache's own time unless `ttl_seconds` says another, 0 included."""
        ttl = self._ttl_seconds if ttl_seconds is None else ttl_seconds
        self._kept[key] = _Entry(value, ttl)

    def drop(self, key: Hashable) -> None:
        """Forget `key`."""
        self._kept.pop(key, None)

    async def computed(
        self,
        key: Hashable,
        compute: Callable[[], Awaitable[Value]],
        *,
        ttl_seconds: float | None = None,
    ) -> Value:
        """Give the value kept for `key`, else compute it: once, for all who ask meanwhile.

        All get the failure of a computation that fails; nothing is kept then. It is given up when
        the last of them is cancelled, not before.
        """
        entry = self._kept.get(key)
        if entry is not None:
            self._hits += 1
            return entry.value
        self._misses += 1
        computation = self._computing.get(key)
        if computation is None:
            computation = self._started(key, compute, ttl_seconds)
        computation.waiting += 1
        try:
            return await asyncio.shield(computation.task)
        finally:
            computation.waiting -= 1
            if not computation.waiting:
                computation.task.cancel()  # no effect once it is done
                self._ended(key, computation)

    def stats(self) -> CacheStats:
        """Tell what the cache holds and how often it could help."""
        self._kept.expire()
        return CacheStats(len(self._kept), self._hits, self._misses)

    def _started(
        self, key: Hashable, compute: Callable[[], Awaitable[Value]], ttl_seconds: float | None
    ) -> _Computation[Value]:
        async def run() -> Value:
            value = await compute()
            self.keep(key, value, ttl_seconds=ttl_seconds)
            return value

        computation = _Computation(asyncio.ensure_future(run()))
        computation.task.add_done_callback(lambda _: self._ended(key, computation))
        self._computing[key] = computation
        return computation

    def _ended(self, key: Hashable, computation: _Computation[Value]) -> None:
        if self._computing.get(key) is computation:
            del self._computing[key]
