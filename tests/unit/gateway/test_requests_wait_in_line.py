"""The line: order, bounds, deadlines, and places that come back."""

import asyncio

import pytest

from agentscaler.gateway.errors import LineFullError, WaitTimeoutError
from agentscaler.gateway.waiting import SWEEP_BEYOND, Line
from tests.unit.gateway.fleets import ANY
from tests.unit.gateway.pools import Fleet


class Waiters:
    """Requests that take turns; each remembers its name when it comes to a lease."""

    def __init__(self, fleet: Fleet, **options: float) -> None:
        self.line = Line(fleet.pool, **options)  # type: ignore[arg-type]
        self.order: list[str] = []

    async def wait(self, name: str, priority: int = 0) -> asyncio.Task[None]:
        async def turn() -> None:
            with await self.line.turn(self.line.arrive(priority), ANY):
                self.order.append(name)

        task = asyncio.create_task(turn())
        await asyncio.sleep(0)
        return task


async def test_first_come_first_served_within_a_priority() -> None:
    fleet = Fleet(1, capacity=1)
    waiters = Waiters(fleet)
    lease = fleet.take()
    priorities = {"a": 0, "b": 0, "urgent": 9, "late": -1, "c": 0, "urgent too": 9}
    tasks = [await waiters.wait(name, priority) for name, priority in priorities.items()]
    assert waiters.line.depth == 6
    lease.release()
    await asyncio.gather(*tasks)
    assert waiters.order == ["urgent", "urgent too", "a", "b", "c", "late"]
    assert waiters.line.depth == 0


async def test_nobody_overtakes_those_who_wait() -> None:
    fleet = Fleet(1, capacity=1)
    waiters = Waiters(fleet)
    lease = fleet.take()
    first = await waiters.wait("first")
    lease.release()
    second = await waiters.wait("second")  # arrives while the slot is on its way to the first
    await asyncio.gather(first, second)
    assert waiters.order == ["first", "second"]


async def test_full_line_refuses_and_deadline_ends_the_wait() -> None:
    fleet = Fleet(1, capacity=1)
    waiters = Waiters(fleet, max_waiting=1, wait_seconds=0.05)
    fleet.take()
    waiting = await waiters.wait("waits")
    with pytest.raises(LineFullError):
        await (await waiters.wait("refused"))
    with pytest.raises(WaitTimeoutError, match=r"within 0\.05 s"):
        await waiting
    assert waiters.line.depth == 0


async def test_place_that_returns_to_the_line_keeps_its_rank_and_its_deadline() -> None:
    fleet = Fleet(1, capacity=1)
    waiters = Waiters(fleet, wait_seconds=30)
    place = waiters.line.arrive(0)
    lease = await waiters.line.turn(place, ANY)
    later = await waiters.wait("later")

    async def again() -> None:
        with await waiters.line.turn(place, ANY):
            waiters.order.append("again")

    returned = asyncio.create_task(again())
    await asyncio.sleep(0)
    lease.release()
    await asyncio.gather(later, returned)
    assert waiters.order == ["again", "later"]
    fleet.take()
    fleet.clock.seconds += 31
    with pytest.raises(WaitTimeoutError):
        await waiters.line.turn(place, ANY)


async def test_lease_that_arrives_as_its_client_leaves_goes_to_the_next() -> None:
    fleet = Fleet(1, capacity=1)
    waiters = Waiters(fleet)
    lease = fleet.take()
    leaving, next_one = await waiters.wait("leaving"), await waiters.wait("next")
    lease.release()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await next_one
    assert waiters.order == ["next"]
    assert fleet.backend(0).active == 0


async def test_line_forgets_clients_that_left() -> None:
    fleet = Fleet(0)
    waiters = Waiters(fleet)
    stays = await waiters.wait("stays")
    for _ in range(10 * SWEEP_BEYOND):
        leaving = await waiters.wait("leaves")
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    assert waiters.line.depth == 1
    assert len(waiters.line._heap) <= 3 + SWEEP_BEYOND
    fleet.see(1)
    await stays
    assert waiters.order == ["stays"]


async def test_line_serves_when_a_pause_ends() -> None:
    fleet = Fleet(1)
    waiters = Waiters(fleet)
    fleet.pool.pause(fleet.backend(0))
    waiting = await waiters.wait("waits")
    assert waiters.line.depth == 1
    fleet.clock.seconds += 1
    await asyncio.wait_for(waiting, 5)
    assert waiters.order == ["waits"]
