"""Square-root staffing, held against the exact law of queues with many servers (Erlang's C)."""

from math import ceil, exp, sqrt

import pytest

from agentscaler.decide import staffing


def erlang_c(servers: int, load: float) -> float:
    """Give the exact share of requests that wait, by Erlang's recursion."""
    blocked = 1.0
    for busy in range(1, servers + 1):
        blocked = load * blocked / (busy + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def late(servers: int, load: float, patience: float) -> float:
    """Give the exact share that waits longer than `patience` times of service."""
    return erlang_c(servers, load) * exp(-(servers - load) * patience)


@pytest.mark.parametrize("servers", [10_020, 10_050, 10_100, 10_200])
def test_share_that_waits_is_that_of_erlang_in_a_large_fleet(servers: int) -> None:
    found = staffing.wait_probability((servers - 10_000) / sqrt(10_000))
    assert found == pytest.approx(erlang_c(servers, 10_000.0), rel=0.03)


def test_everybody_waits_where_no_slot_is_spare() -> None:
    assert staffing.wait_probability(0.0) == 1.0


@pytest.mark.parametrize("patience", [0.05, 0.2])
def test_share_that_waits_long_is_that_of_erlang(patience: float) -> None:
    found = staffing.late_share(1.0, 400.0, patience)
    assert found == pytest.approx(late(420, 400.0, patience), rel=0.05)


@pytest.mark.parametrize("load", [0.4, 4.0, 25.0, 400.0])
@pytest.mark.parametrize("patience", [0.0, 0.5])
@pytest.mark.parametrize("attainment", [0.5, 0.9, 0.99])
def test_slots_are_those_of_erlang_but_for_one_in_ten(
    load: float, patience: float, attainment: float
) -> None:
    enough = next(
        n for n in range(1, 600) if n > load and late(n, load, patience) <= 1 - attainment
    )
    found = ceil(staffing.slots_for(load, patience, attainment))
    assert abs(found - enough) <= max(1, 0.1 * enough)


@pytest.mark.parametrize("attainment", [0.3, 0.9, 0.999])
def test_room_is_the_least_that_is_enough(attainment: float) -> None:
    found, most = staffing.safety(100.0, 0.1, attainment), 1 - attainment
    assert staffing.late_share(found, 100.0, 0.1) <= most
    assert staffing.late_share(found - 0.002, 100.0, 0.1) > most


def test_room_ends_where_nobody_waits_any_more() -> None:
    assert staffing.slots_for(100.0, 0.0, 1.0) == 100 + 6 * 10


def test_no_load_needs_no_slot() -> None:
    assert staffing.slots_for(0.0, 0.0, 0.99) == 0.0
