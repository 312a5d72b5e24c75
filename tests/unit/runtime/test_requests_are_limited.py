"""At most so many at once, the others in line: in order, bounded, counted."""

import asyncio

import pytest

from agentscaler.runtime.errors import QueueFullError, WaitTimeoutError
from agentscaler.runtime.limits import ConcurrencyLimit
from tests.unit.runtime.worlds import Gate, World, settle


async def test_service_lets_in_max_concurrent_and_queues_the_others() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=2)
    for number in range(5):
        world.client(f"/{number}").start()
    await settle()
    assert gate.begun == ["/0", "/1"]
    assert world.metric("agent_active_requests") == 2
    assert world.metric("agent_queue_depth") == 3
    assert world.metric("agent_capacity") == 2


async def test_service_serves_the_line_in_the_order_of_arrival() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1)
    asking = [world.client(f"/{number}").start() for number in range(4)]
    for _ in range(4):
        await settle()
        gate.let_go()
    await asyncio.gather(*asking)
    assert gate.begun == ["/0", "/1", "/2", "/3"]


async def test_newcomer_does_not_overtake_the_line_when_a_slot_is_handed_on() -> None:
    limit = ConcurrencyLimit(1)
    await limit.enter()
    waiting = asyncio.create_task(limit.enter())
    await settle()
    limit.leave()
    assert not limit.try_enter()
    await waiting
    assert limit.active == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_service_refuses_with_retry_after_when_the_line_is_full(status: int) -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1, max_queued=1, overload_status=status)
    for _ in range(2):
        world.client().start()
    await settle()
    refused = await world.client().ask()
    assert refused.status == status
    assert int(refused.headers["retry-after"]) >= 1
    assert world.ended("rejected") == 1
    assert world.metric("agent_queue_depth") == 1


async def test_service_refuses_when_the_wait_is_over() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1, max_wait_seconds=0.01)
    first = world.client().start()
    await settle()
    late = await world.client().ask()
    assert late.status == 503
    assert world.metric("agent_queue_depth") == 0
    gate.let_go()
    await first
    assert gate.begun == ["/ask"]


async def test_retry_after_grows_with_the_line_and_the_time_the_work_takes() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1, max_queued=20)
    for _ in range(100):  # enough for the moving mean to have learned 2 s
        asking = world.client().start()
        await settle(3)
        world.clock.advance(2.0)
        gate.let_go()
        await asking
    for _ in range(21):
        world.client().start()
    await settle()
    refused = await world.client().ask()
    assert int(refused.headers["retry-after"]) == pytest.approx(42, abs=2)


async def test_wait_and_duration_are_told_apart() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1)
    asking = [world.client().start() for _ in range(2)]
    await settle()
    world.clock.advance(3.0)
    gate.let_go()
    await settle()
    world.clock.advance(0.2)
    gate.let_go()
    await asyncio.gather(*asking)
    assert world.metric("agent_request_wait_seconds_sum") == pytest.approx(3.0)
    assert world.metric("agent_request_duration_seconds_sum") == pytest.approx(3.2)
    assert world.metric("agent_request_wait_seconds_bucket", le="0.01") == 1
    assert world.metric("agent_request_wait_seconds_bucket", le="5.0") == 2
    assert world.metric("agent_request_wait_seconds_bucket", le="+Inf") == 2
    assert world.metric("agent_request_duration_seconds_count") == 2


async def test_limit_tells_when_it_is_full_or_the_wait_is_over() -> None:
    limit = ConcurrencyLimit(1, max_queued=1, max_wait_seconds=0.01)
    await limit.enter()
    waiting = asyncio.create_task(limit.enter())
    await settle()
    with pytest.raises(QueueFullError, match="1 requests wait"):
        await limit.enter()
    with pytest.raises(WaitTimeoutError, match=r"0\.01 s"):
        await waiting
    limit.leave()
    assert (limit.active, limit.queued) == (0, 0)


async def test_limit_waits_for_ever_without_a_bound_on_the_wait() -> None:
    limit = ConcurrencyLimit(1, max_wait_seconds=None)
    await limit.enter()
    waiting = asyncio.create_task(limit.enter())
    await settle()
    assert limit.queued == 1
    limit.leave()
    await waiting


async def test_limit_tells_when_it_is_idle() -> None:
    limit = ConcurrencyLimit(1)
    await limit.idle()
    await limit.enter()
    waiting = asyncio.create_task(limit.idle())
    abandoned = asyncio.create_task(limit.idle())
    await settle()
    abandoned.cancel()
    await settle()
    assert not waiting.done()
    limit.leave()
    await waiting


@pytest.mark.parametrize(("slots", "places"), [(0, 1), (1, -1)])
def test_limit_refuses_counts_that_make_no_sense(slots: int, places: int) -> None:
    with pytest.raises(ValueError, match="max_concurrent"):
        ConcurrencyLimit(slots, places)
