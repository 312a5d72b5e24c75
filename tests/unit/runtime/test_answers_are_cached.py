"""The cache: bounded, timed, and one computation however many ask."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.runtime.caching import Cache
from tests.unit.runtime.worlds import ManualClock, settle


class Answer:
    """Computes on command and counts how often it was asked to."""

    def __init__(self) -> None:
        self.asked = 0
        self.ready = asyncio.Event()
        self.fails = False

    async def __call__(self) -> int:
        self.asked += 1
        await self.ready.wait()
        if self.fails:
            raise ZeroDivisionError
        return self.asked


def test_value_is_kept_for_five_minutes_by_default() -> None:
    clock = ManualClock()
    cache = Cache[str](clock=clock)
    cache.keep("a", "x")
    clock.advance(299)
    assert cache.find("a", None) == "x"
    clock.advance(2)
    assert cache.find("a", None) is None


def test_value_is_kept_for_its_own_time() -> None:
    clock = ManualClock()
    cache = Cache[str](clock=clock)
    cache.keep("a", "x", ttl_seconds=1)
    cache.keep("b", "y", ttl_seconds=1000)
    clock.advance(301)
    assert (cache.find("a", None), cache.find("b", None)) == (None, "y")


def test_time_to_live_of_zero_keeps_nothing() -> None:
    cache = Cache[str](clock=ManualClock())
    cache.keep("a", "x", ttl_seconds=0)
    assert cache.find("a", None) is None


def test_none_can_be_kept() -> None:
    cache = Cache[None](clock=ManualClock())
    cache.keep("a", None)
    assert cache.find("a", "missing") is None
    assert cache.stats().hits == 1


@given(st.lists(st.integers(0, 50), max_size=100))
def test_cache_never_exceeds_its_bound(keys: list[int]) -> None:
    cache = Cache[int](max_entries=5, clock=ManualClock())
    for key in keys:
        cache.keep(key, key)
        assert cache.find(key, None) == key
        assert cache.stats().entries <= 5


def test_dropped_value_is_gone() -> None:
    cache = Cache[str](clock=ManualClock())
    cache.keep("a", "x")
    for _ in range(2):
        cache.drop("a")
    assert cache.find("a", None) is None


async def test_many_who_ask_at_once_cause_one_computation() -> None:
    cache, answer = Cache[int](clock=ManualClock()), Answer()
    asking = [asyncio.create_task(cache.computed("a", answer)) for _ in range(20)]
    await settle()
    answer.ready.set()
    assert set(await asyncio.gather(*asking)) == {1}
    assert await cache.computed("a", answer) == 1
    stats = cache.stats()
    assert (stats.entries, stats.hits, stats.misses) == (1, 1, 20)


async def test_other_keys_are_computed_meanwhile() -> None:
    cache, slow, quick = Cache[int](clock=ManualClock()), Answer(), Answer()
    asking = asyncio.create_task(cache.computed("slow", slow))
    await settle()
    quick.ready.set()
    async with asyncio.timeout(1):
        await cache.computed("quick", quick)
    slow.ready.set()
    await asking


async def test_failed_computation_reaches_all_who_ask_and_is_not_kept() -> None:
    cache, answer = Cache[int](clock=ManualClock()), Answer()
    answer.fails = True
    asking = [asyncio.create_task(cache.computed("a", answer)) for _ in range(3)]
    await settle()
    answer.ready.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(result) for result in results] == [ZeroDivisionError] * 3
    answer.fails = False
    assert await cache.computed("a", answer) == 2


async def test_computation_outlives_the_one_who_started_it() -> None:
    cache, answer = Cache[int](clock=ManualClock()), Answer()
    starter, other = (asyncio.create_task(cache.computed("a", answer)) for _ in range(2))
    await settle()
    starter.cancel()
    await settle()
    answer.ready.set()
    assert await other == 1
    assert starter.cancelled()


async def test_computation_is_given_up_when_nobody_waits_for_it() -> None:
    cache, answer = Cache[int](clock=ManualClock()), Answer()
    asking = [asyncio.create_task(cache.computed("a", answer)) for _ in range(2)]
    await settle()
    for each in asking:
        each.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    answer.ready.set()
    assert await cache.computed("a", answer) == 2


async def test_computed_value_with_no_time_to_live_is_not_kept() -> None:
    cache, answer = Cache[int](clock=ManualClock()), Answer()
    answer.ready.set()
    for expected in (1, 2):
        assert await cache.computed("a", answer, ttl_seconds=0) == expected


async def test_cancelling_nobody_waits_twice(caplog: pytest.LogCaptureFixture) -> None:
    cache, answer = Cache[int](clock=ManualClock()), Answer()
    asking = asyncio.create_task(cache.computed("a", answer))
    await settle()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    again = asyncio.create_task(cache.computed("a", answer))  # a new one, though the old one ends
    await settle()
    answer.ready.set()
    assert await again == 2
    assert caplog.text == ""


def test_cache_without_room_for_anything_is_refused() -> None:
    with pytest.raises(ValueError, match="max_entries must be at least 1"):
        Cache(max_entries=0)
