"""Fixed fleets on the demo's own load."""

import pytest

from tests.demo import comparing


def test_the_cheapest_fleet_serves_well_enough_and_one_less_does_not() -> None:
    found = comparing.cheapest(0, 180, 0.99)
    assert found.attainment >= 0.99
    assert comparing.of_size(0, 180, found.replicas - 1).attainment < 0.99


def test_a_fixed_fleet_is_paid_for_the_whole_time() -> None:
    fixed = comparing.of_size(10, 100, 20)
    assert fixed.replica_hours * 3600 == pytest.approx(20 * 90)


def test_larger_fleets_never_serve_fewer_in_time() -> None:
    shares = [comparing.of_size(0, 180, replicas).attainment for replicas in (10, 14, 18)]
    assert shares == sorted(shares)
