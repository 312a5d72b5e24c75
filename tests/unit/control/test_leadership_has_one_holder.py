"""The Lease: one holder at a time, whatever fails; taken over in time, given back at the end."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from agentscaler.act.leases import Lease
from agentscaler.control.candidacy import Candidacy
from agentscaler.control.leadership import Elector, Terms
from agentscaler.control.sharding import WHOLE
from agentscaler.errors import ClusterError, ConflictError, LeadershipLostError
from tests.fakes.clocks import NOON, HandClock

FAST = Terms(
    duration=timedelta(seconds=1),
    renew_deadline=timedelta(seconds=0.6),
    renew_every=timedelta(seconds=0.02),
    request_timeout=timedelta(seconds=0.1),
)


class Shelf:
    """Where the one Lease lies, with the API server's rule about versions."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.version = 0
        self.failing = False
        self.hanging = False
        self.losing = False  # what is written, but not the answer
        self.writes: list[str] = []
        self.asked: list[str] = []

    async def read(self) -> Lease | None:
        self.asked.append("read")
        await self._trouble()
        return self.lease

    async def write(self, lease: Lease) -> Lease:
        self.asked.append("write")
        await self._trouble()
        known = self.lease.resource_version if self.lease else ""
        if lease.resource_version != known:
            raise ConflictError("changed")
        self.version += 1
        self.lease = replace(lease, resource_version=str(self.version))
        self.writes.append(lease.holder)
        if self.losing:
            raise ClusterError("no answer")
        return self.lease

    async def _trouble(self) -> None:
        if self.failing:
            raise ClusterError("down")
        if self.hanging:
            await asyncio.sleep(3600)


def elector(name: str, shelf: Shelf, clock: HandClock) -> Elector:
    return Elector(name, shelf.read, shelf.write, clock=clock, terms=FAST)


async def lead(who: Elector, work: Callable[[], Awaitable[None]]) -> None:
    """Seek and lead the only shard, without any other division."""
    candidacy = Candidacy(
        {WHOLE: who}, no_others, clock=who._clock, seek_every=timedelta(seconds=0.02)
    )
    await candidacy.lead(lambda _: work())


async def no_others() -> dict[str, Lease]:
    return {}


async def until_cancelled() -> None:
    await asyncio.sleep(3600)


async def led(task: "asyncio.Task[None]", who: Elector) -> None:
    """Wait until `who` leads."""
    while not who.may_write():
        assert not task.done()
        await asyncio.sleep(0.001)


async def end(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_first_one_leads_and_the_second_waits() -> None:
    shelf, clock = Shelf(), HandClock()
    one, two = elector("one", shelf, clock), elector("two", shelf, clock)
    first = asyncio.create_task(lead(one, until_cancelled))
    await led(first, one)
    assert not await two.seek()
    assert (one.holder, two.holder, two.may_write()) == ("one", "one", False)
    await end(first)


async def test_work_that_ends_gives_the_lease_back_at_once() -> None:
    shelf, clock = Shelf(), HandClock()
    one, two = elector("one", shelf, clock), elector("two", shelf, clock)
    done: list[str] = []

    async def work() -> None:
        done.append("work")

    await lead(one, work)
    assert (done, one.may_write(), one.holder) == (["work"], False, "")
    assert await two.seek()
    assert shelf.lease is not None
    assert (shelf.lease.holder, shelf.lease.transitions) == ("two", 1)


async def test_stopped_while_it_claims_gives_back_what_it_may_have_got() -> None:
    shelf, clock = Shelf(), HandClock()
    claiming, answered = asyncio.Event(), asyncio.Event()

    async def slowly(lease: Lease) -> Lease:
        claiming.set()
        written = await shelf.write(lease)
        await answered.wait()
        return written

    one = Elector("one", shelf.read, slowly, clock=clock, terms=FAST)
    task = asyncio.create_task(lead(one, until_cancelled))
    await claiming.wait()
    task.cancel()
    await asyncio.sleep(0)
    answered.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (shelf.writes, one.may_write()) == (["one", ""], False)


async def test_stopped_while_it_renews_gives_back_what_was_written_unheard() -> None:
    shelf, renewed = Shelf(), asyncio.Event()

    async def once_unheard(lease: Lease) -> Lease:
        written = await shelf.write(lease)
        if len(shelf.writes) == 2:
            renewed.set()
            await asyncio.sleep(3600)
        return written

    one = Elector("one", shelf.read, once_unheard, clock=HandClock(), terms=FAST)
    task = asyncio.create_task(lead(one, until_cancelled))
    await renewed.wait()
    await end(task)
    assert (shelf.writes, one.may_write()) == (["one", "one", ""], False)


async def test_stopped_after_another_took_the_lease_leaves_it_alone() -> None:
    shelf, clock = Shelf(), HandClock()
    one = elector("one", shelf, clock)
    assert await one.seek()
    assert shelf.lease is not None
    shelf.lease = replace(shelf.lease, holder="two", resource_version="9")
    await one.give_back()
    assert (shelf.lease.holder, shelf.writes) == ("two", ["one"])


async def test_stopped_while_its_claim_fails_ends_all_the_same() -> None:
    shelf, clock = Shelf(), HandClock()
    claiming = asyncio.Event()

    async def hanging(lease: Lease) -> Lease:
        claiming.set()
        await asyncio.sleep(3600)
        return lease

    one = Elector("one", shelf.read, hanging, clock=clock, terms=FAST)
    task = asyncio.create_task(lead(one, until_cancelled))
    await claiming.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_dead_holder_is_replaced_only_after_a_whole_duration_of_our_own_time() -> None:
    shelf, clock = Shelf(), HandClock()
    await elector("dead", shelf, clock).seek()
    two = elector("two", shelf, clock)
    assert not await two.seek()
    clock.seconds += 1.0
    assert not await two.seek()
    clock.seconds += 0.001
    assert await two.seek()


async def test_clock_of_the_other_machine_does_not_matter() -> None:
    shelf, clock = Shelf(), HandClock()
    await elector("ahead", shelf, clock).seek()
    assert shelf.lease is not None
    shelf.lease = replace(shelf.lease, renewed_at=NOON - timedelta(days=1))
    assert not await elector("two", shelf, clock).seek()


async def test_renewing_holder_stays() -> None:
    shelf, clock = Shelf(), HandClock()
    one, two = elector("one", shelf, clock), elector("two", shelf, clock)
    first = asyncio.create_task(lead(one, until_cancelled))
    await led(first, one)
    for _ in range(20):
        clock.seconds += 0.3
        await asyncio.sleep(0.04)
        assert not await two.seek()
    assert one.may_write()
    await end(first)


@pytest.mark.parametrize("fault", ["failing", "hanging"])
async def test_holder_stops_before_anybody_may_take_over(fault: str) -> None:
    shelf, clock = Shelf(), HandClock()
    one, two = elector("one", shelf, clock), elector("two", shelf, clock)
    first = asyncio.create_task(lead(one, until_cancelled))
    await led(first, one)
    await two.seek()
    setattr(shelf, fault, True)
    clock.seconds += 0.7  # beyond the renew deadline, before the duration
    assert not one.may_write()
    with pytest.raises(LeadershipLostError, match="could not be renewed for "):
        await asyncio.wait_for(first, 2)
    setattr(shelf, fault, False)
    assert not await two.seek()


async def test_right_that_has_ended_is_not_revived() -> None:
    """As when a machine sleeps: meanwhile somebody may act by a Lease of another name."""
    shelf, clock = Shelf(), HandClock()
    one = elector("one", shelf, clock)
    first = asyncio.create_task(lead(one, until_cancelled))
    await led(first, one)
    clock.seconds += 0.7
    with pytest.raises(LeadershipLostError):
        await asyncio.wait_for(first, 2)
    assert set(shelf.writes) == {"one"}


async def test_renewal_mends_a_lease_that_somebody_damaged() -> None:
    shelf, clock = Shelf(), HandClock()
    one = elector("one", shelf, clock)
    await one.seek()
    assert shelf.lease is not None
    shelf.lease = replace(shelf.lease, duration_seconds=0, shards=7, resource_version="99")
    assert await one._renew()
    assert (shelf.lease.duration_seconds, shelf.lease.shards) == (1, 1)


async def test_passing_fault_is_survived() -> None:
    shelf, clock = Shelf(), HandClock()
    one = elector("one", shelf, clock)
    first = asyncio.create_task(lead(one, until_cancelled))
    await led(first, one)
    shelf.failing = True
    await asyncio.sleep(0.05)
    shelf.failing = False
    clock.seconds += 0.3
    await asyncio.sleep(0.05)
    clock.seconds += 0.4
    assert one.may_write()
    await end(first)


async def test_late_answer_is_followed_by_another_try_at_once_and_by_no_look() -> None:
    shelf, clock = Shelf(), HandClock()
    one = elector("one", shelf, clock)
    await one.seek()
    shelf.hanging = True
    shelf.asked.clear()
    assert [await one._renew() for _ in range(3)] == [False] * 3
    assert shelf.asked == ["write"] * 3
    shelf.hanging = False
    assert await one._renew()


async def test_first_renewal_and_the_one_after_a_late_one_follow_at_once() -> None:
    shelf, clock = Shelf(), HandClock()
    tries: list[float] = []
    third = asyncio.Event()

    async def write(lease: Lease) -> Lease:
        tries.append(clock.seconds)
        if len(tries) == 2:
            clock.seconds += 30
            raise ClusterError("no answer")
        if len(tries) == 3:
            third.set()
        return await shelf.write(lease)

    terms = replace(FAST, renew_deadline=timedelta(seconds=100), renew_every=timedelta(seconds=30))
    one = Elector("one", shelf.read, write, clock=clock, terms=terms)
    leading = asyncio.create_task(lead(one, until_cancelled))
    await asyncio.wait_for(third.wait(), 10)
    claimed, first, second = tries
    assert (first - claimed, second - first) == (0, 30)
    await end(leading)


async def test_renewal_whose_answer_was_lost_is_found_out() -> None:
    shelf, clock = Shelf(), HandClock()
    one = elector("one", shelf, clock)
    await one.seek()
    shelf.losing = True
    assert not await one._renew()
    shelf.losing = False
    clock.seconds += 0.5
    assert await one._renew()
    clock.seconds += 0.5
    assert one.may_write()


async def test_lease_taken_by_another_ends_the_right_at_once() -> None:
    shelf, clock = Shelf(), HandClock()
    one = elector("one", shelf, clock)
    first = asyncio.create_task(lead(one, until_cancelled))
    await led(first, one)
    assert shelf.lease is not None
    shelf.lease = replace(shelf.lease, holder="thief", resource_version="99")
    with pytest.raises(LeadershipLostError, match="held by thief"):
        await asyncio.wait_for(first, 2)
    assert not one.may_write()
    assert shelf.lease.holder == "thief"


async def test_deleted_lease_ends_the_right() -> None:
    shelf, clock = Shelf(), HandClock()
    one = elector("one", shelf, clock)
    first = asyncio.create_task(lead(one, until_cancelled))
    await led(first, one)
    shelf.lease = None
    with pytest.raises(LeadershipLostError, match="held by nobody"):
        await asyncio.wait_for(first, 2)


async def test_failure_of_the_work_is_passed_on_and_the_lease_given_back() -> None:
    shelf, clock = Shelf(), HandClock()

    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await lead(elector("one", shelf, clock), work)
    assert shelf.writes == ["one", ""]


async def test_release_that_fails_is_left_to_run_out() -> None:
    shelf, clock = Shelf(), HandClock()

    async def work() -> None:
        shelf.failing = True

    await lead(elector("one", shelf, clock), work)
    assert shelf.writes == ["one"]


async def test_margin_shortens_the_right_to_write() -> None:
    shelf, clock = Shelf(), HandClock()
    one = elector("one", shelf, clock)
    await one.seek()
    assert one.may_write(timedelta(seconds=0.5))
    assert not one.may_write(timedelta(seconds=0.6))
    assert one._lease is not None
    one._lease = None
    assert not await one._renew()


async def test_race_for_a_free_lease_has_one_winner() -> None:
    shelf, clock = Shelf(), HandClock()
    rivals = [elector(str(number), shelf, clock) for number in range(8)]
    won = await asyncio.gather(*(rival.seek() for rival in rivals))
    assert sum(won) == 1
    assert [rival.may_write() for rival in rivals].count(True) == 1
