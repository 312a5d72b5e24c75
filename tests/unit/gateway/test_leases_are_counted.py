"""A lease counts its request in, and out exactly once, however it ends."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.gateway.backends import Endpoint
from tests.unit.gateway.fleets import ANY
from tests.unit.gateway.pools import Fleet


def test_lease_comes_back_when_the_work_ends_fails_or_is_cancelled() -> None:
    fleet = Fleet(1)
    with fleet.take():
        assert fleet.backend(0).active == 1
    with pytest.raises(ZeroDivisionError), fleet.take():
        raise ZeroDivisionError
    with pytest.raises(asyncio.CancelledError), fleet.take():
        raise asyncio.CancelledError
    assert (fleet.backend(0).active, fleet.backend(0).total) == (0, 3)


def test_lease_given_back_twice_counts_once() -> None:
    fleet = Fleet(1)
    one, two = fleet.take(), fleet.take()
    one.release()
    one.release()
    assert fleet.backend(0).active == 1
    two.release()


def test_full_fleet_leases_nothing_and_does_again_when_one_ends() -> None:
    fleet = Fleet(2, capacity=1)
    first, _ = fleet.take(), fleet.take()
    assert fleet.pool.try_take(ANY) is None
    first.release()
    assert fleet.take().backend is first.backend


@given(st.lists(st.booleans(), max_size=60))
def test_nobody_gets_beyond_its_capacity(moves: list[bool]) -> None:
    fleet = Fleet(3, capacity=4)
    leases = []
    for take in moves:
        if take and (lease := fleet.pool.try_take(ANY)):
            leases.append(lease)
        elif leases:
            leases.pop(0).release()
        assert sum(each.active for each in fleet.pool.backends) == len(leases)
        assert all(each.active <= 4 for each in fleet.pool.backends)


def test_removed_backend_gets_nothing_new_and_is_forgotten_when_its_work_is_done() -> None:
    fleet = Fleet(2)
    leases = [fleet.take(), fleet.take()]
    fleet.see(1)
    assert {fleet.take().backend.name for _ in range(5)} == {"10.0.0.0:80"}
    assert len(fleet.pool.backends) == 2
    for lease in leases:
        lease.release()
    assert [each.name for each in fleet.pool.backends] == ["10.0.0.0:80"]


def test_backend_that_comes_back_still_has_its_old_requests() -> None:
    fleet = Fleet(1)
    lease = fleet.take()
    fleet.see(0)
    assert fleet.pool.try_take(ANY) is None
    fleet.see(1)
    assert fleet.backend(0).active == 1
    lease.release()
    assert fleet.backend(0).active == 0


def test_reported_capacity_is_believed_unless_one_is_configured() -> None:
    free, told = Fleet(1), Fleet(1, capacity=7)
    for fleet in (free, told):
        fleet.pool.set_capacity(fleet.backend(0), 2)
    assert (free.backend(0).capacity, told.backend(0).capacity) == (2, 7)


def test_weight_follows_what_discovery_says() -> None:
    fleet = Fleet(1)
    fleet.pool.update([Endpoint("10.0.0.0:80", weight=3.0)])
    assert fleet.backend(0).weight == 3.0
