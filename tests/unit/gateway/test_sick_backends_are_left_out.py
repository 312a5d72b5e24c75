"""Passive ejection with timed return, pauses after refused connections, and active checks."""

import pytest

from agentscaler.gateway.ejection import Ejection
from agentscaler.gateway.windows import MAX_AGE_SECONDS, ResponseWindow
from tests.unit.gateway.fleets import ANY
from tests.unit.gateway.pools import Fleet


def healthy(fleet: Fleet) -> set[str]:
    now = fleet.clock.monotonic()
    return {each.name for each in fleet.pool.backends if each.is_healthy(now)}


async def test_errors_in_a_row_eject_and_time_brings_back() -> None:
    fleet = Fleet(3)
    sick = fleet.backend(0)
    fleet.fail(sick, 4)
    fleet.succeed(sick, 1)
    fleet.fail(sick, 4)
    assert len(healthy(fleet)) == 3
    fleet.fail(sick, 1)
    assert sick.name not in healthy(fleet)
    assert sick.name not in fleet.takers(9)
    fleet.clock.seconds += 30
    assert sick.name in fleet.takers(9)
    assert (sick.error_ratio, sick.errors_in_a_row) == (0, 0)


async def test_each_ejection_is_longer_than_the_last() -> None:
    fleet = Fleet(3)
    sick = fleet.backend(0)
    for seconds in (30, 60, 90):
        fleet.fail(sick, 5)
        fleet.clock.seconds += seconds - 1
        fleet.take().release()
        assert sick.name not in healthy(fleet)
        fleet.clock.seconds += 1
        fleet.take().release()
        assert sick.name in healthy(fleet)


async def test_at_most_half_of_the_fleet_is_out() -> None:
    fleet = Fleet(4)
    for number in range(4):
        fleet.fail(fleet.backend(number), 10)
    assert len(healthy(fleet)) == 2


async def test_fleet_of_one_is_never_ejected() -> None:
    fleet = Fleet(1)
    fleet.fail(fleet.backend(0), 50)
    assert len(healthy(fleet)) == 1


async def test_outlier_is_ejected_although_it_sometimes_answers() -> None:
    fleet = Fleet(3)
    for number in (1, 2):
        fleet.succeed(fleet.backend(number), 50)
    for _ in range(10):
        fleet.succeed(fleet.backend(0), 1)
        fleet.fail(fleet.backend(0), 1)
    assert fleet.backend(0).name not in healthy(fleet)


async def test_nobody_is_an_outlier_when_all_fail_alike() -> None:
    fleet = Fleet(3)
    for _ in range(20):
        for number in range(3):
            fleet.succeed(fleet.backend(number), 1)
            fleet.fail(fleet.backend(number), 1)
    assert len(healthy(fleet)) == 3


async def test_refused_connections_pause_longer_each_time_but_once_for_all_at_once() -> None:
    fleet = Fleet(1)
    dead = fleet.backend(0)
    pauses = []
    for _ in range(7):
        for _ in range(10):
            fleet.pool.pause(dead)  # ten requests find out together
        pauses.append(round(dead.out_until - fleet.clock.seconds, 3))
        assert fleet.pool.try_take(ANY) is None
        fleet.clock.seconds = dead.out_until
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    fleet.succeed(dead, 1)
    fleet.pool.pause(dead)
    assert dead.out_until - fleet.clock.seconds == pytest.approx(0.2)


async def test_passed_check_ends_a_pause() -> None:
    fleet = Fleet(1)
    fleet.pool.pause(fleet.backend(0))
    fleet.pool.set_checked(fleet.backend(0), passes=True)
    assert fleet.pool.try_take(ANY) is not None


async def test_passed_check_does_not_end_an_ejection() -> None:
    fleet = Fleet(3)
    fleet.fail(fleet.backend(0), 5)
    fleet.pool.set_checked(fleet.backend(0), passes=True)
    assert fleet.backend(0).name not in healthy(fleet)


async def test_backend_that_reports_no_capacity_is_leaving_until_a_check_passes() -> None:
    fleet = Fleet(2)
    leaving = fleet.backend(0)
    fleet.pool.set_capacity(leaving, 0)
    fleet.succeed(leaving, 1)
    assert leaving.name not in fleet.takers(5)
    fleet.clock.seconds += 29
    assert leaving.name not in healthy(fleet)
    fleet.pool.set_checked(leaving, passes=True)
    assert leaving.name in healthy(fleet)
    assert leaving.capacity is None


async def test_backend_that_is_leaving_serves_on_while_nobody_else_is_well() -> None:
    fleet = Fleet(2)
    fleet.pool.pause(fleet.backend(1))
    fleet.pool.set_capacity(fleet.backend(0), 0)
    assert healthy(fleet) == {fleet.backend(0).name}


async def test_who_is_left_out_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    fleet = Fleet(3)
    fleet.fail(fleet.backend(0), 9)
    for _ in range(3):
        fleet.pool.pause(fleet.backend(1))
        fleet.clock.seconds += 9
    assert [record.getMessage() for record in caplog.records] == [
        "10.0.0.0:80 fails too often and is left out for 30 s",
        "10.0.0.1:80 refuses connections and is left out",
    ]


def test_failed_checks_take_a_backend_out() -> None:
    fleet = Fleet(2)
    fleet.pool.set_checked(fleet.backend(0), passes=False)
    assert set(fleet.takers(4)) == {"10.0.0.1:80"}
    fleet.pool.set_checked(fleet.backend(0), passes=True)
    assert "10.0.0.0:80" in fleet.takers(4)


def test_window_keeps_the_last_hundred() -> None:
    window = ResponseWindow()
    for number in range(150):
        window.add(0.0, float(number), failed=number < 100)
    assert len(window) == 100
    assert window.mean_seconds == pytest.approx(sum(range(50, 150)) / 100)
    assert window.error_ratio == 0.5


def test_failures_age_so_that_a_sick_backend_is_tried_again() -> None:
    window = ResponseWindow()
    for at in (0.0, 30.0):
        window.add(at, 1.0, failed=True)
    window.age(MAX_AGE_SECONDS + 1)
    assert (len(window), window.error_ratio) == (1, 1.0)
    window.age(MAX_AGE_SECONDS + 31)
    assert (len(window), window.error_ratio, window.mean_seconds) == (0, 0.0, None)


def test_ejection_never_lasts_beyond_its_limit() -> None:
    assert Ejection().seconds(1000) == 300
