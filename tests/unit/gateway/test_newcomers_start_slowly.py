"""Slow start: a new backend takes a share that grows with its age, and helps when all are full."""

from collections import Counter

from tests.unit.gateway.pools import Fleet


def busy_fleet(**options: int) -> Fleet:
    """Two backends with ten requests each, and a third that has just come."""
    fleet = Fleet(2, slow_start_seconds=10, **options)
    fleet.takers(20)
    fleet.succeed(fleet.backend(0), 1)
    fleet.see(3)
    return fleet


def test_new_backend_does_not_get_the_whole_burst() -> None:
    fleet = busy_fleet()
    burst = Counter(fleet.takers(10))
    assert burst["10.0.0.2:80"] == 1


def test_share_grows_with_age_until_it_is_whole() -> None:
    fleet = busy_fleet()
    fleet.takers(1)
    shares = []
    for _ in range(5):
        fleet.clock.seconds += 2
        fleet.takers(8)
        shares.append(fleet.backend(2).active)
    assert shares == sorted(shares)
    assert shares[1] < shares[-1]
    assert shares[-1] >= 10


def test_first_backends_of_all_share_evenly_at_once() -> None:
    fleet = Fleet(3, slow_start_seconds=10)
    assert set(Counter(fleet.takers(30)).values()) == {10}


def test_new_backend_helps_at_once_when_the_others_are_full() -> None:
    fleet = busy_fleet(capacity=10)
    assert Counter(fleet.takers(10))["10.0.0.2:80"] == 10


def test_only_backend_takes_everything_whatever_its_age() -> None:
    fleet = Fleet(1, slow_start_seconds=10)
    fleet.succeed(fleet.backend(0), 1)
    fleet.see(0)
    fleet.see(1)
    assert len(fleet.takers(20)) == 20
