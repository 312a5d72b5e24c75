"""Shards: each namespace in one, each led by one replica, also while their number changes."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.act.leases import Lease
from agentscaler.control import candidacy, sharding
from agentscaler.control.candidacy import Candidacy
from agentscaler.control.leadership import Elector, Terms
from agentscaler.control.sharding import Shard
from agentscaler.errors import ClusterError, ConflictError
from tests.fakes.clocks import NOON, HandClock

BASE = "agentscaler-leader"
SOON = timedelta(seconds=0.005)


class StillClock(HandClock):
    """Stands still while others sleep: no Lease runs out unless the test turns it."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Shelves:
    """Where the Leases lie, with the API server's rule about versions."""

    def __init__(self) -> None:
        self.leases: dict[str, Lease] = {}
        self.version = 0
        self.failing = False
        self.refusing = False
        self.silent = False

    async def list(self) -> Mapping[str, Lease]:
        await asyncio.sleep(3600 if self.silent else 0)
        if self.failing:
            raise ClusterError("down")
        return dict(self.leases)

    async def read(self, name: str) -> Lease | None:
        await asyncio.sleep(0)
        return self.leases.get(name)

    async def write(self, name: str, lease: Lease) -> Lease:
        await asyncio.sleep(0)
        if self.refusing:
            raise ClusterError("busy")
        known = self.leases.get(name)
        if lease.resource_version != (known.resource_version if known else ""):
            raise ConflictError("changed")
        self.version += 1
        self.leases[name] = replace(lease, resource_version=str(self.version))
        return self.leases[name]


class Replica:
    """One process of a release with so many shards; `leads` is what it leads at present."""

    def __init__(self, name: str, count: int, shelves: Shelves, clock: HandClock) -> None:
        self.leads: Shard | None = None
        electors = {
            shard: self._elector(name, shard, shelves, clock) for shard in sharding.shards(count)
        }

        async def look() -> Mapping[str, Lease]:
            return sharding.of_other_divisions(await shelves.list(), BASE, count)

        self.candidacy = Candidacy(electors, look, clock=clock, seek_every=SOON)
        self.task = asyncio.create_task(self.candidacy.lead(self._work))

    @staticmethod
    def _elector(name: str, shard: Shard, shelves: Shelves, clock: HandClock) -> Elector:
        lease = shard.lease_name(BASE)

        async def read() -> Lease | None:
            return await shelves.read(lease)

        async def write(wanted: Lease) -> Lease:
            return await shelves.write(lease, wanted)

        terms = Terms(renew_every=SOON)
        return Elector(name, read, write, clock=clock, terms=terms, shards=shard.count)

    async def _work(self, shard: Shard) -> None:
        assert self.candidacy.may_write()
        self.leads = shard
        try:
            await asyncio.sleep(3600)
        finally:
            self.leads = None

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def turns(count: int = 100) -> None:
    for _ in range(count):
        await asyncio.sleep(SOON.total_seconds() / 5)


@given(st.text(min_size=1), st.integers(1, 64))
def test_each_namespace_is_in_one_shard(namespace: str, count: int) -> None:
    assert sum(shard.owns(namespace) for shard in sharding.shards(count)) == 1


def test_namespaces_spread_over_the_shards() -> None:
    found = Counter(
        shard.number
        for namespace in range(1000)
        for shard in sharding.shards(4)
        if shard.owns(f"team-{namespace}")
    )
    assert min(found.values()) > 200


def test_namespace_stays_in_its_shard_from_release_to_release() -> None:
    names = ("agents", "team-a", "default", "kube-system")
    homes = [next(each.number for each in sharding.shards(8) if each.owns(name)) for name in names]
    assert homes == [3, 6, 2, 2]


def test_leases_of_another_division_are_told_from_those_of_others() -> None:
    made = Lease("one", 15, NOON, NOON)
    leases = {
        BASE: replace(made, shards=2),
        f"{BASE}-1": replace(made, shards=2),
        f"{BASE}-2": replace(made, shards=3),
        f"{BASE}-of-mine": replace(made, shards=4),
        "other": made,
    }
    assert set(sharding.of_other_divisions(leases, BASE, 2)) == {f"{BASE}-2"}
    assert set(sharding.of_other_divisions(leases, BASE, 3)) == {BASE, f"{BASE}-1"}


async def test_each_shard_has_one_leader_and_the_spare_replica_none() -> None:
    shelves, clock = Shelves(), StillClock()
    replicas = [Replica(str(number), 3, shelves, clock) for number in range(4)]
    await turns()
    led = [each.leads.number for each in replicas if each.leads]
    assert sorted(led) == [0, 1, 2]
    for each in replicas:
        await each.stop()


async def test_spare_replica_takes_the_shard_of_one_that_stops() -> None:
    shelves, clock = Shelves(), StillClock()
    replicas = [Replica(str(number), 2, shelves, clock) for number in range(3)]
    await turns()
    (spare,) = [each for each in replicas if each.leads is None]
    gone = next(each for each in replicas if each.leads)
    lost = gone.leads
    await gone.stop()
    await turns()
    assert spare.leads == lost
    for each in replicas:
        await each.stop()


async def test_new_division_waits_for_the_last_leader_of_the_old_one() -> None:
    shelves, clock = Shelves(), StillClock()
    old = [Replica(f"old-{number}", 2, shelves, clock) for number in range(2)]
    await turns()
    new = [Replica(f"new-{number}", 3, shelves, clock) for number in range(3)]
    await turns()
    assert [each.leads for each in new] == [None] * 3
    await old[0].stop()
    await turns()
    assert [each.leads for each in new] == [None] * 3
    await old[1].stop()
    await turns()
    assert sorted(each.leads.number for each in new if each.leads) == [0, 1, 2]
    for each in new:
        await each.stop()


async def test_dead_leader_of_the_old_division_is_waited_for_until_its_lease_ran_out() -> None:
    shelves, clock = Shelves(), StillClock()
    dead = Replica("dead", 1, shelves, clock)
    await turns()
    left = shelves.leases[BASE]
    await dead.stop()
    shelves.leases[BASE] = left  # as a SIGKILL leaves it
    new = Replica("new", 2, shelves, clock)
    await turns()
    assert new.leads is None
    clock.seconds += left.duration_seconds + 1
    await turns()
    assert new.leads is not None
    await new.stop()


async def test_leader_that_slept_through_a_new_division_writes_nothing() -> None:
    shelves, clock = Shelves(), StillClock()
    old = Replica("old", 1, shelves, clock)
    await turns()
    asleep = old.candidacy
    new = [Replica(f"new-{number}", 2, shelves, clock) for number in range(2)]
    await turns()
    clock.seconds += 20
    assert not asleep.may_write()
    await turns()
    assert old.leads is None
    for each in (old, *new):
        await each.stop()


async def test_write_waits_for_a_late_renewal_and_not_for_one_that_fails() -> None:
    shelves, clock = Shelves(), StillClock()
    replica = Replica("one", 1, shelves, clock)
    await turns()
    margin = timedelta(seconds=3)
    shelves.refusing = True
    clock.seconds += 8  # of the ten for which a renewal is good
    late = asyncio.create_task(replica.candidacy.right_to_write(margin))
    await turns()
    assert not late.done()
    shelves.refusing = False
    assert await asyncio.wait_for(late, 5)
    shelves.refusing = True
    clock.seconds += 8
    lost = asyncio.create_task(replica.candidacy.right_to_write(margin))
    await turns()
    assert not lost.done()
    clock.seconds += 3
    assert not await asyncio.wait_for(lost, 5)
    await replica.stop()


async def test_look_without_an_answer_keeps_nobody_from_trying_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(candidacy, "_LOOK_SECONDS", 0.01)
    shelves, clock = Shelves(), StillClock()
    shelves.silent = True
    replica = Replica("one", 1, shelves, clock)
    await turns()
    assert replica.leads is None
    shelves.silent = False
    await turns()
    assert replica.leads is not None
    await replica.stop()


async def test_unknown_division_keeps_from_leading() -> None:
    shelves, clock = Shelves(), StillClock()
    shelves.failing = True
    replica = Replica("one", 1, shelves, clock)
    await turns()
    assert replica.leads is None
    assert not shelves.leases[BASE].holder
    shelves.failing = False
    await turns()
    assert replica.leads is not None
    await replica.stop()


@pytest.mark.parametrize("seed", range(5))
async def test_two_divisions_never_lead_at_once(seed: int) -> None:
    shelves, clock = Shelves(), StillClock()
    replicas = [
        Replica(f"{count}-{number}", count, shelves, clock)
        for number in range(3)
        for count in (1, 2)
    ]
    for _ in range(40):
        await turns(seed + 1)
        led = [each.leads for each in replicas if each.leads]
        assert len({shard.count for shard in led}) <= 1
        assert len(set(led)) == len(led)
        for each in replicas:
            if each.leads and len(led) > seed % 2:
                await each.stop()
                break
    for each in replicas:
        await each.stop()
