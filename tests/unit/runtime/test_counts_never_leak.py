"""However a request ends, its slot and its place come back."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.runtime.asgi import Receive, Scope, Send
from agentscaler.runtime.errors import ServiceError
from agentscaler.runtime.limits import ConcurrencyLimit
from tests.unit.runtime.worlds import Gate, World, settle


async def test_slot_comes_back_when_the_work_is_cancelled() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1)
    asking = world.client().start()
    await settle()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert world.metric("agent_active_requests") == 0
    assert world.ended("cancelled") == 1


async def test_place_comes_back_when_a_waiting_request_is_cancelled() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1)
    first = world.client().start()
    second = world.client().start()
    await settle()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert world.metric("agent_queue_depth") == 0
    gate.let_go()
    await first
    assert world.metric("agent_active_requests") == 0
    assert world.ended("cancelled") == 1


async def test_slot_is_passed_on_when_its_taker_is_cancelled_in_the_same_instant() -> None:
    limit = ConcurrencyLimit(1)
    await limit.enter()
    cancelled = asyncio.create_task(limit.enter())
    third = asyncio.create_task(limit.enter())
    await settle()
    limit.leave()  # the slot is on its way to `cancelled`
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    await third
    limit.leave()
    assert (limit.active, limit.queued) == (0, 0)


async def test_slot_comes_back_when_the_work_raises() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    world = World(broken)
    with pytest.raises(ZeroDivisionError):
        await world.client().ask()
    assert world.metric("agent_active_requests") == 0
    assert world.ended("error") == 1


async def test_error_of_our_own_without_a_status_is_the_services_fault() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ServiceError("no answer for this one")

    world = World(broken)
    with pytest.raises(ServiceError):
        await world.client().ask()
    assert world.ended("error") == 1


@pytest.mark.parametrize(("status", "outcome"), [(200, "ok"), (404, "ok"), (500, "error")])
async def test_outcome_follows_the_status(status: int, outcome: str) -> None:
    gate = Gate()
    world = World(gate)
    asking = world.client().start()
    await settle()
    gate.let_go(status)
    await asking
    assert world.ended(outcome) == 1


async def test_outcome_is_error_when_the_application_answers_nothing() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        return

    world = World(silent)
    await world.client().ask()
    assert world.ended("error") == 1


async def test_stream_that_ends_early_without_an_error_is_one_whose_client_has_gone() -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        # Starlette learns of the disconnect and returns.

    world = World(stream)
    await world.client().ask()
    assert world.ended("cancelled") == 1


async def test_stream_holds_its_slot_until_it_ends() -> None:
    more = asyncio.Event()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await more.wait()
        await send({"type": "http.response.body", "body": b"b", "more_body": False})

    world = World(stream)
    client = world.client()
    reading = client.start()
    await settle()
    assert client.body == b"a"
    assert world.metric("agent_active_requests") == 1
    more.set()
    await reading
    assert client.body == b"ab"
    assert world.metric("agent_active_requests") == 0


async def test_websocket_holds_its_slot_until_it_ends() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    world = World(echo)
    client = world.client(kind="websocket")
    talking = client.start()
    await settle()
    assert world.metric("agent_active_requests") == 1
    client.leave()
    await talking
    assert world.metric("agent_active_requests") == 0
    assert world.ended("ok") == 1


@given(seed=st.integers(0, 2**32), slots=st.integers(1, 4), places=st.integers(0, 6))
def test_counts_return_to_zero_under_random_cancellation(
    seed: int, slots: int, places: int
) -> None:
    async def storm() -> None:
        chance = random.Random(seed)  # noqa: S311 - a test's dice
        limit = ConcurrencyLimit(slots, places, max_wait_seconds=chance.choice([0.001, None]))
        peak = 0

        async def one() -> None:
            nonlocal peak
            await limit.enter()
            peak = max(peak, limit.active)
            try:
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
            finally:
                limit.leave()

        asking = []
        for _ in range(60):
            asking.append(asyncio.create_task(one()))
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(0)
            if chance.random() < 0.5:
                chance.choice(asking).cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        assert peak <= slots
        assert (limit.active, limit.queued) == (0, 0)

    asyncio.run(storm())
