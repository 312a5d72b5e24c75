"""Batches: full or due, in order, each caller its own result, nobody left waiting."""

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.runtime.batching import Batcher, BatchOptions
from agentscaler.runtime.errors import BatchFailedError, QueueFullError, ShuttingDownError
from agentscaler.runtime.sizing import AdaptiveSize
from tests.unit.runtime.worlds import ManualClock, settle


class Work:
    """Doubles numbers, batch by batch, each held until it is let go."""

    def __init__(self, held: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.gates: list[asyncio.Future[None]] = []
        self.held = held

    async def __call__(self, batch: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(batch))
        if self.held:
            gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.gates.append(gate)
            await gate
        return [number * 2 for number in batch]


async def test_full_batch_goes_out_at_once_with_results_in_order() -> None:
    work = Work()
    batcher = Batcher(work, BatchOptions(max_wait_seconds=60))
    results = await asyncio.gather(*(batcher.submit(number) for number in range(10)))
    assert results == [number * 2 for number in range(10)]
    assert work.batches == [list(range(10))]


async def test_oldest_request_sends_its_batch_when_it_has_waited() -> None:
    work = Work()
    batcher = Batcher(work, BatchOptions(max_wait_seconds=0.01))
    async with asyncio.timeout(1):
        assert [*await asyncio.gather(batcher.submit(1), batcher.submit(2))] == [2, 4]
    assert work.batches == [[1, 2]]


async def test_defaults_are_ten_requests_or_a_tenth_of_a_second() -> None:
    options = BatchOptions()
    assert (options.max_size, options.max_wait_seconds) == (10, 0.1)


async def test_callers_submit_while_a_batch_is_under_way() -> None:
    work = Work(held=True)
    batcher = Batcher(work, BatchOptions(max_size=1))
    asking = [asyncio.create_task(batcher.submit(number)) for number in range(3)]
    await settle()
    assert work.batches == [[0], [1], [2]]
    for gate in work.gates:
        gate.set_result(None)
    assert await asyncio.gather(*asking) == [0, 2, 4]


async def test_requests_gather_while_the_batches_under_way_are_at_their_bound() -> None:
    work = Work(held=True)
    batcher = Batcher(work, BatchOptions(max_size=2, max_wait_seconds=0, max_under_way=1))
    asking = [asyncio.create_task(batcher.submit(number)) for number in range(5)]
    for _ in range(3):
        await settle()
        work.gates[-1].set_result(None)
    await asyncio.gather(*asking)
    assert work.batches == [[0], [1, 2], [3, 4]]


async def test_timer_never_cancels_the_batch_that_it_started() -> None:
    done: list[int] = []

    async def slow(batch: Sequence[int]) -> list[int | Exception]:
        await asyncio.sleep(0.03)  # beyond several timers
        done.extend(batch)
        return list(batch)

    batcher = Batcher(slow, BatchOptions(max_wait_seconds=0.005))
    first = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(batcher.submit(2))
    assert [*await asyncio.gather(first, second)] == [1, 2]
    assert done == [1, 2]


@pytest.mark.parametrize("answers", [[], [1, 2, 3]], ids=["fewer", "more"])
async def test_wrong_number_of_results_is_told_to_every_caller(answers: list[int]) -> None:
    async def miscounting(batch: Sequence[int]) -> list[int]:
        return answers

    batcher = Batcher(miscounting, BatchOptions(max_size=2))
    async with asyncio.timeout(1):
        results = await asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True)
    assert [type(result) for result in results] == [BatchFailedError, BatchFailedError]
    assert f"{len(answers)} results for 2 requests" in str(results[0])


async def test_cancelled_caller_does_not_fail_the_batch_it_is_in() -> None:
    work = Work(held=True)
    batcher = Batcher(work, BatchOptions(max_size=2))
    gone, stays = (asyncio.create_task(batcher.submit(number)) for number in (1, 2))
    await settle()
    gone.cancel()
    await settle()
    work.gates[0].set_result(None)
    assert await stays == 4
    assert gone.cancelled()


async def test_cancelled_caller_is_not_sent_when_its_batch_has_not_gone() -> None:
    work = Work()
    batcher = Batcher(work, BatchOptions(max_size=2, max_wait_seconds=60))
    gone = asyncio.create_task(batcher.submit(1))
    await settle()
    gone.cancel()
    await settle()
    assert batcher.stats().pending == 0
    assert [*await asyncio.gather(batcher.submit(2), batcher.submit(3))] == [4, 6]
    assert work.batches == [[2, 3]]


async def test_exception_in_place_of_a_result_is_that_callers_alone() -> None:
    async def picky(batch: Sequence[int]) -> list[int | Exception]:
        return [ValueError("odd") if number % 2 else number for number in batch]

    batcher = Batcher(picky, BatchOptions(max_size=3))
    results = await asyncio.gather(
        *(batcher.submit(number) for number in (1, 2, 4)), return_exceptions=True
    )
    assert isinstance(results[0], ValueError)
    assert results[1:] == [2, 4]


async def brittle(batch: Sequence[int]) -> list[int | Exception]:
    if 13 in batch:
        raise ValueError("unlucky")
    return list(batch)


async def test_failed_batch_is_told_to_every_caller_with_its_cause() -> None:
    batcher = Batcher(brittle, BatchOptions(max_size=3))
    results = await asyncio.gather(
        *(batcher.submit(number) for number in (1, 13, 3)), return_exceptions=True
    )
    assert all(isinstance(result, BatchFailedError) for result in results)
    assert len({id(result) for result in results}) == 3
    assert "batch of 3 failed" in str(results[0])
    assert isinstance(results[0].__cause__, ValueError)  # type: ignore[union-attr]


async def test_bad_request_fails_alone_when_retried_alone() -> None:
    batcher = Batcher(brittle, BatchOptions(max_size=3, retry_alone=True))
    results = await asyncio.gather(
        *(batcher.submit(number) for number in (1, 13, 3)), return_exceptions=True
    )
    assert (results[0], results[2]) == (1, 3)
    assert isinstance(results[1], BatchFailedError)


async def test_line_of_pending_requests_is_bounded() -> None:
    batcher = Batcher(Work(), BatchOptions(max_size=5, max_wait_seconds=60, max_pending=2))
    waiting = [asyncio.create_task(batcher.submit(number)) for number in range(2)]
    await settle()
    with pytest.raises(QueueFullError, match="2 requests"):
        await batcher.submit(3)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_closing_sends_what_is_pending_and_takes_nothing_more() -> None:
    work = Work()
    async with Batcher(work, BatchOptions(max_wait_seconds=60, max_under_way=1)) as batcher:
        asking = [asyncio.create_task(batcher.submit(number)) for number in range(3)]
        await settle()
    assert await asyncio.gather(*asking) == [0, 2, 4]
    with pytest.raises(ShuttingDownError):
        await batcher.submit(1)
    assert batcher.stats().pending == 0


async def test_callers_are_told_when_their_batch_is_cancelled() -> None:
    batcher = Batcher(Work(held=True), BatchOptions(max_size=1))
    asking = asyncio.create_task(batcher.submit(1))
    await settle()
    (batch,) = batcher._under_way
    batch.cancel()
    with pytest.raises(ShuttingDownError):
        await asking


async def test_size_follows_the_load_when_adaptive() -> None:
    clock = ManualClock()
    seconds = 0.1

    async def work(batch: Sequence[int]) -> list[int | Exception]:
        await asyncio.sleep(0)
        clock.advance(seconds)
        return list(batch)

    options = BatchOptions(
        max_size=4, max_wait_seconds=0, max_under_way=1, adaptive=AdaptiveSize(target_seconds=1)
    )
    batcher = Batcher(work, options, clock=clock)
    await asyncio.gather(*(batcher.submit(number) for number in range(100)))
    grown = batcher.stats().size
    assert grown > 4
    seconds = 2.0
    await batcher.submit(0)
    assert batcher.stats().size == grown // 2


@given(size=st.integers(1, 100), pending=st.integers(0, 1000), seconds=st.floats(0, 10))
def test_adaptive_size_stays_within_its_bounds(size: int, pending: int, seconds: float) -> None:
    rule = AdaptiveSize(target_seconds=1, smallest=1, largest=100)
    wanted = rule.after(size, pending, seconds)
    assert 1 <= wanted <= 100
    assert wanted <= size or (seconds <= 1 and pending >= size)
    assert wanted >= size or seconds > 1


@given(st.integers(0, 2**32))
def test_every_caller_gets_its_own_result_under_random_cancellation(seed: int) -> None:
    async def storm() -> None:
        chance = random.Random(seed)  # noqa: S311 - a test's dice

        async def work(batch: Sequence[int]) -> list[int | Exception]:
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            if chance.random() < 0.2:
                raise ValueError
            return [number * 2 for number in batch]

        options = BatchOptions(max_size=3, max_wait_seconds=0.001, max_under_way=2)
        async with Batcher(work, options) as batcher:
            asking = []
            for number in range(50):
                asking.append(asyncio.create_task(batcher.submit(number)))
                if chance.random() < 0.3:
                    await asyncio.sleep(0)
                    chance.choice(asking).cancel()
            results = await asyncio.gather(*asking, return_exceptions=True)
        for number, result in enumerate(results):
            assert result == number * 2 or isinstance(
                result, BatchFailedError | asyncio.CancelledError
            )
        stats = batcher.stats()
        assert (stats.pending, stats.under_way) == (0, 0)

    asyncio.run(storm())


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: BatchOptions(max_size=0), "max_size, max_under_way and max_pending must be at "),
        (lambda: BatchOptions(max_under_way=0), "max_size, max_under_way and max_pending must be"),
        (lambda: BatchOptions(max_wait_seconds=-1), "max_wait_seconds must not be negative"),
        (lambda: AdaptiveSize(target_seconds=1, smallest=0), "sizes must be 1 <= smallest <= lar"),
        (lambda: AdaptiveSize(target_seconds=1, smallest=9, largest=8), "sizes must be 1 <= smal"),
    ],
)
def test_sizes_with_which_no_batch_would_go_are_refused(
    make: Callable[[], object], complaint: str
) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}"):
        make()
