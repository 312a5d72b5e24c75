"""The optimizer: everything by name, opened and closed together."""

from collections.abc import Sequence

import pytest

from agentscaler.runtime.batching import Batcher, BatchOptions
from agentscaler.runtime.caching import Cache
from agentscaler.runtime.errors import PoolError, ShuttingDownError, UnknownResourceError
from agentscaler.runtime.optimizer import ResourceOptimizer
from agentscaler.runtime.pooling import Connector, Pool
from tests.unit.runtime.worlds import ManualClock


async def echo(batch: Sequence[int]) -> list[int | Exception]:
    return list(batch)


class Lines:
    """Counts what it opened and closed."""

    def __init__(self, down: bool = False) -> None:
        self.count = 0
        self.down = down

    async def open(self) -> str:
        if self.down:
            raise ConnectionRefusedError
        self.count += 1
        return "line"

    async def close(self, line: str) -> None:
        self.count -= 1

    def pool(self) -> Pool[str]:
        return Pool(Connector(self.open, self.close))


async def test_everything_registered_works_by_name_and_ends_with_the_owner() -> None:
    lines = Lines()
    optimizer = ResourceOptimizer()
    batcher = Batcher(echo, BatchOptions(max_size=1))
    optimizer.register_batcher("llm", batcher)
    optimizer.register_pool("database", lines.pool())

    async def shout(line: str) -> str:
        return line.upper()

    async with optimizer:
        assert await optimizer.batch_request("llm", 7) == 7
        assert await optimizer.with_pooled_connection("database", shout) == "LINE"
        stats = optimizer.get_stats()
        assert stats.batchers["llm"].batches == 1
        assert stats.pools["database"].available == 2
    assert lines.count == 0
    with pytest.raises(ShuttingDownError):
        await batcher.submit(1)


async def test_unknown_names_are_told_with_those_that_exist() -> None:
    optimizer = ResourceOptimizer()
    optimizer.register_batcher("llm", Batcher(echo))
    with pytest.raises(UnknownResourceError, match="no batcher is called 'lmm'; registered: llm"):
        await optimizer.batch_request("lmm", 1)
    with pytest.raises(UnknownResourceError, match="registered: none"):
        await optimizer.with_pooled_connection("database", Lines().close)


def test_name_is_registered_once() -> None:
    optimizer = ResourceOptimizer()
    optimizer.register_batcher("llm", Batcher(echo))
    optimizer.register_pool("llm", Lines().pool())
    with pytest.raises(ValueError, match="'llm' is registered already"):
        optimizer.register_batcher("llm", Batcher(echo))
    with pytest.raises(ValueError, match="'llm' is registered already"):
        optimizer.register_pool("llm", Lines().pool())


async def test_pools_are_closed_again_when_one_cannot_open() -> None:
    good = Lines()
    optimizer = ResourceOptimizer()
    optimizer.register_pool("good", good.pool())
    optimizer.register_pool("bad", Lines(down=True).pool())
    with pytest.raises(PoolError):
        await optimizer.__aenter__()
    assert good.count == 0


def test_cache_keeps_for_its_time_and_zero_is_not_the_default() -> None:
    clock = ManualClock()
    optimizer = ResourceOptimizer(Cache(clock=clock))
    optimizer.cache_set("a", 1)
    optimizer.cache_set("b", 2, ttl_seconds=0)
    optimizer.cache_set("c", 3, ttl_seconds=10)
    assert [optimizer.cache_get(key) for key in "abc"] == [1, None, 3]
    clock.advance(11)
    assert [optimizer.cache_get(key, "gone") for key in "abc"] == [1, "gone", "gone"]
    clock.advance(300)
    assert optimizer.cache_get("a") is None
    assert optimizer.get_stats().cache.entries == 0
