"""Pooled connections: bounded, fair, checked, replaced, and never leaked."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.runtime.errors import PoolError, PoolTimeoutError, ShuttingDownError
from agentscaler.runtime.pooling import Connector, Pool, PoolOptions
from tests.unit.runtime.worlds import ManualClock, settle


class Line:
    """A connection that knows whether it is open."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.open = True
        self.sound = True


class Exchange:
    """Opens and closes connections, and fails on command."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.down = False
        self.opening: asyncio.Event | None = None

    async def open(self) -> Line:
        if self.opening is not None:
            await self.opening.wait()
        await asyncio.sleep(0)
        if self.down:
            raise ConnectionRefusedError
        self.lines.append(Line(len(self.lines)))
        return self.lines[-1]

    async def close(self, line: Line) -> None:
        await asyncio.sleep(0)
        assert line.open
        line.open = False

    async def check(self, line: Line) -> bool:
        await asyncio.sleep(0)
        return line.sound

    @property
    def open_lines(self) -> int:
        return sum(line.open for line in self.lines)

    def pool(self, clock: ManualClock | None = None, **options: Any) -> Pool[Line]:
        connector = Connector(self.open, self.close, self.check)
        return Pool(connector, PoolOptions(**options), clock=clock or ManualClock())


def test_defaults_are_those_that_are_documented() -> None:
    options = PoolOptions()
    assert (options.min_size, options.max_size, options.max_idle_seconds) == (2, 10, 300.0)


@pytest.mark.parametrize("sizes", [(3, 2), (-1, 2), (0, 0)])
def test_sizes_that_contradict_each_other_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="min_size"):
        PoolOptions(min_size=sizes[0], max_size=sizes[1])
    with pytest.raises(ValueError, match="max_idle_seconds must be positive"):
        PoolOptions(max_idle_seconds=0)


async def test_pool_opens_its_minimum_and_closes_everything_at_its_end() -> None:
    exchange = Exchange()
    async with exchange.pool() as pool:
        assert exchange.open_lines == 2
        stats = pool.stats()
        assert (stats.created, stats.in_use, stats.available) == (2, 0, 2)
    assert exchange.open_lines == 0
    assert pool.stats().created == 0


async def test_pool_lends_the_same_connection_again() -> None:
    async with Exchange().pool() as pool:
        async with pool.connection() as first:
            assert pool.stats().in_use == 1
        async with pool.connection() as second:
            assert second is first


async def test_pool_never_opens_more_than_its_maximum_and_serves_in_order() -> None:
    exchange = Exchange()
    served: list[int] = []

    async with exchange.pool(min_size=0, max_size=2) as pool:

        async def use(number: int) -> None:
            async with pool.connection():
                served.append(number)
                assert pool.stats().created <= 2
                await asyncio.sleep(0)

        await asyncio.gather(*(use(number) for number in range(10)))
        assert served == list(range(10))
        assert len(exchange.lines) == 2


async def test_release_reaches_a_waiter_while_others_wait() -> None:
    async with Exchange().pool(min_size=0, max_size=1) as pool:
        async with asyncio.timeout(1):
            async with pool.connection():
                waiting = asyncio.create_task(pool.connection().__aenter__())
                await settle()
                assert pool.stats().waiting == 1
            await waiting


async def test_newcomer_does_not_overtake_a_waiter() -> None:
    order: list[str] = []
    async with Exchange().pool(min_size=0, max_size=1) as pool:

        async def use(name: str) -> None:
            async with pool.connection():
                order.append(name)

        async with pool.connection():
            waiting = asyncio.create_task(use("waiter"))
            await settle()
        newcomer = asyncio.create_task(use("newcomer"))
        await asyncio.gather(waiting, newcomer)
    assert order == ["waiter", "newcomer"]


async def test_caller_gives_up_after_the_acquire_timeout() -> None:
    async with Exchange().pool(min_size=0, max_size=1, acquire_timeout_seconds=0.01) as pool:
        async with pool.connection():
            with pytest.raises(PoolTimeoutError, match=r"0\.01 s"):
                async with pool.connection():
                    pass
            assert pool.stats().waiting == 0
        async with pool.connection():
            pass


async def test_failed_opening_is_not_counted_as_created() -> None:
    exchange = Exchange()
    async with exchange.pool(min_size=0, max_size=1) as pool:
        exchange.down = True
        for _ in range(3):
            with pytest.raises(PoolError, match="ConnectionRefusedError"):
                async with pool.connection():
                    pass
            assert pool.stats().created == 0
        exchange.down = False
        async with asyncio.timeout(1), pool.connection():
            assert pool.stats().created == 1


async def test_failed_opening_lets_the_next_waiter_try() -> None:
    exchange = Exchange()
    exchange.down, exchange.opening = True, asyncio.Event()
    async with exchange.pool(min_size=0, max_size=1) as pool:
        first = asyncio.create_task(pool.connection().__aenter__())
        second = asyncio.create_task(pool.connection().__aenter__())
        await settle()
        exchange.opening.set()
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(result) for result in results] == [PoolError, PoolError]
        assert pool.stats().created == 0


async def test_pool_that_cannot_open_its_minimum_says_so_and_holds_nothing() -> None:
    exchange = Exchange()
    exchange.down = True
    pool = exchange.pool()
    with pytest.raises(PoolError):
        await pool.__aenter__()
    assert pool.stats().created == 0


async def test_broken_connection_is_replaced_on_borrow() -> None:
    exchange = Exchange()
    async with exchange.pool(min_size=1, max_size=1) as pool:
        exchange.lines[0].sound = False
        async with pool.connection() as line:
            assert line.number == 1
        await settle()
        assert not exchange.lines[0].open
        assert pool.stats().created == 1


async def test_check_that_raises_counts_as_failed() -> None:
    exchange = Exchange()

    async def check(line: Line) -> bool:
        if line.number == 0:
            raise ConnectionResetError
        return True

    connector = Connector(exchange.open, exchange.close, check)
    async with Pool(connector, PoolOptions(min_size=1)) as pool, pool.connection() as line:
        assert line.number == 1


async def test_connection_is_trusted_without_a_check() -> None:
    exchange = Exchange()
    connector = Connector(exchange.open, exchange.close)
    async with Pool(connector, PoolOptions(min_size=1)) as pool, pool.connection() as line:
        assert line.number == 0


async def test_connection_whose_user_failed_is_not_lent_again() -> None:
    exchange = Exchange()
    async with exchange.pool(min_size=1, max_size=1) as pool:
        with pytest.raises(ZeroDivisionError):
            async with pool.connection():
                raise ZeroDivisionError
        async with pool.connection() as line:
            assert line.number == 1
        await settle()
        assert exchange.open_lines == 1


async def test_connection_whose_user_was_cancelled_is_not_lent_again() -> None:
    exchange = Exchange()
    async with exchange.pool(min_size=1, max_size=1) as pool:

        async def use() -> None:
            async with pool.connection():
                await asyncio.Event().wait()

        using = asyncio.create_task(use())
        await settle()
        using.cancel()
        await asyncio.gather(using, return_exceptions=True)
        async with pool.connection() as line:
            assert line.number == 1
        assert pool.stats().in_use == 0


async def test_stale_connection_is_replaced_on_borrow() -> None:
    exchange, clock = Exchange(), ManualClock()
    pool = exchange.pool(clock, min_size=1, max_size=1)
    await pool._fill()  # without the keeper, which would be first
    clock.advance(301)
    async with pool.connection() as line:
        assert line.number == 1
    await pool.aclose()


async def test_stale_connections_are_replaced_up_to_the_minimum_while_nobody_asks() -> None:
    exchange, clock = Exchange(), ManualClock()
    async with exchange.pool(clock, min_size=2, max_size=5) as pool:
        lent = [pool.connection() for _ in range(4)]
        for each in lent:
            await each.__aenter__()
        for each in lent:
            await each.__aexit__(None, None, None)
        assert pool.stats().available == 4
        clock.advance(301)
        await settle()
        stats = pool.stats()
        assert (stats.created, stats.available) == (2, 2)
        assert exchange.open_lines == 2
        assert all(not line.open for line in exchange.lines[:4])


async def test_pool_recovers_its_minimum_after_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    exchange, clock = Exchange(), ManualClock()
    async with exchange.pool(clock) as pool:
        await settle()
        exchange.down = True
        clock.advance(301)
        await settle()
        assert pool.stats().created == 0
        assert "below its minimum" in caplog.text
        exchange.down = False
        clock.advance(75)
        await settle()
        assert pool.stats().available == 2


async def test_failing_close_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    exchange = Exchange()

    async def close(line: Line) -> None:
        raise ConnectionResetError

    async with Pool(Connector(exchange.open, close)) as pool, pool.connection():
        pass
    assert "did not close" in caplog.text


async def test_closed_pool_lends_nothing_and_closes_what_comes_back() -> None:
    exchange = Exchange()
    async with exchange.pool(min_size=0, max_size=1) as pool:
        lent = pool.connection()
        await lent.__aenter__()
        waiting = asyncio.create_task(pool.connection().__aenter__())
        await settle()
    with pytest.raises(ShuttingDownError):
        await waiting
    with pytest.raises(ShuttingDownError):
        async with pool.connection():
            pass
    await lent.__aexit__(None, None, None)
    await settle()
    assert (exchange.open_lines, pool.stats().created) == (0, 0)


@pytest.mark.parametrize("grant", ["connection", "place"])
async def test_grant_is_passed_on_when_its_taker_is_cancelled_in_the_same_instant(
    grant: str,
) -> None:
    exchange = Exchange()
    async with exchange.pool(min_size=0, max_size=1) as pool:
        lent = pool.connection()
        await lent.__aenter__()
        gone = asyncio.create_task(pool.connection().__aenter__())
        stays = asyncio.create_task(pool.connection().__aenter__())
        await settle()
        if grant == "connection":
            await lent.__aexit__(None, None, None)
        else:
            await lent.__aexit__(ZeroDivisionError, ZeroDivisionError(), None)
        gone.cancel()
        async with asyncio.timeout(1):
            await stays
        assert pool.stats().created == 1


async def test_cancellation_during_the_check_closes_the_connection() -> None:
    exchange = Exchange()
    async with exchange.pool(min_size=1, max_size=1) as pool:
        borrowing = asyncio.create_task(pool.connection().__aenter__())
        await asyncio.sleep(0)  # it is in the check now
        borrowing.cancel()
        await asyncio.gather(borrowing, return_exceptions=True)
        await settle()
        assert (pool.stats().created, exchange.open_lines) == (0, 0)


@given(seed=st.integers(0, 2**32), most=st.integers(1, 4))
def test_counts_are_right_under_random_failures_and_cancellation(seed: int, most: int) -> None:
    async def storm() -> None:
        chance = random.Random(seed)  # noqa: S311 - a test's dice
        exchange = Exchange()
        async with exchange.pool(min_size=0, max_size=most) as pool:

            async def use() -> None:
                async with pool.connection() as line:
                    assert line.open
                    assert pool.stats().created <= most
                    line.sound = chance.random() > 0.2
                    for _ in range(chance.randrange(3)):
                        await asyncio.sleep(0)
                    if chance.random() < 0.2:
                        raise ZeroDivisionError

            using = []
            for _ in range(60):
                exchange.down = chance.random() < 0.1
                using.append(asyncio.create_task(use()))
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                if chance.random() < 0.4:
                    chance.choice(using).cancel()
            await asyncio.gather(*using, return_exceptions=True)
            await settle()
            stats = pool.stats()
            assert (stats.in_use, stats.waiting) == (0, 0)
            assert stats.created == stats.available == exchange.open_lines
        assert exchange.open_lines == 0

    asyncio.run(storm())
