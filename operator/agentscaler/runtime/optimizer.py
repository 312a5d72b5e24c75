"""One owner for the batchers, pools and the cache of a service: made together, closed together."""

from collections.abc import Awaitable, Callable, Hashable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from agentscaler.runtime.batching import Batcher, BatcherStats
from agentscaler.runtime.caching import Cache, CacheStats
from agentscaler.runtime.errors import UnknownResourceError
from agentscaler.runtime.pooling import Pool, PoolStats

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class OptimizerStats:
    """The figures of everything that is owned, by name."""

    batchers: dict[str, BatcherStats]
    pools: dict[str, PoolStats]
    cache: CacheStats


class ResourceOptimizer:
    """Owns what is registered from `async with` on: pools open there, all is closed at its end."""

    def __init__(self, cache: Cache[Any] | None = None) -> None:
        self.cache: Cache[Any] = cache or Cache()
        self._batchers: dict[str, Batcher[Any, Any]] = {}
        self._pools: dict[str, Pool[Any]] = {}
        self._open = AsyncExitStack()

    def register_batcher(self, name: str, batcher: Batcher[Any, Any]) -> None:
        """Own `batcher`; raises `ValueError` if the name is taken."""
        _refuse_taken(name, self._batchers)
        self._batchers[name] = batcher

    def register_pool(self, name: str, pool: Pool[Any]) -> None:
        """Own `pool`; raises `ValueError` if the name is taken."""
        _refuse_taken(name, self._pools)
        self._pools[name] = pool

    async def __aenter__(self) -> Self:
        """Open the pools; if one cannot be, close the others again."""
        async with AsyncExitStack() as opening:
            for pool in self._pools.values():
                await opening.enter_async_context(pool)
            for batcher in self._batchers.values():
                await opening.enter_async_context(batcher)  # closed first: a batch may need a pool
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    async def batch_request(self, name: str, request: Any) -> Any:
        """Submit `request` to the batcher `name`."""
        return await _found(name, self._batchers, "batcher").submit(request)

    async def with_pooled_connection(
        self, name: str, work: Callable[[Any], Awaitable[Result]]
    ) -> Result:
        """Do `work` with a connection of the pool `name`."""
        async with _found(name, self._pools, "pool").connection() as connection:
            return await work(connection)

    def cache_get(self, key: Hashable, default: Any = None) -> Any:
        """Give what the cache keeps for `key`, else `default`."""
        return self.cache.find(key, default)

    def cache_set(self, key: Hashable, value: Any, ttl_seconds: float | None = None) -> None:
        """Keep `value` for the cache's time, or for `ttl_seconds`, of which 0 keeps nothing."""
        self.cache.keep(key, value, ttl_seconds=ttl_seconds)

    def get_stats(self) -> OptimizerStats:
        """Tell the figures of everything that is owned."""
        return OptimizerStats(
            batchers={name: batcher.stats() for name, batcher in self._batchers.items()},
            pools={name: pool.stats() for name, pool in self._pools.items()},
            cache=self.cache.stats(),
        )


def _refuse_taken(name: str, known: dict[str, Any]) -> None:
    if name in known:
        raise ValueError(f"{name!r} is registered already")


Resource = TypeVar("Resource")


def _found(name: str, known: dict[str, Resource], kind: str) -> Resource:
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise UnknownResourceError(f"no {kind} is called {name!r}; registered: {names}")
    return known[name]
