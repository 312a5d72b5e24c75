"""The benchmark of decisions: its yardstick by hand, its other autoscalers, its disturbances."""

import numpy as np
import pytest

from agentscaler.simulate.past import Past
from agentscaler.simulate.scalers import Sight
from agentscaler.simulate.workload import chance
from tests.benchmarks.quality import oracle
from tests.benchmarks.quality.peers import PEERS, Knative, RayServe, WaitAsLatency, thresholds
from tests.benchmarks.quality.worlds import HOUR, Disturbed, World, rises


def a_past(at: list[float], work: list[float], end: float) -> Past:
    return Past(0.0, end, np.array(at), np.array(work), slots=1, start_up=30.0)


def sight(now: float, load: float, *, current: int) -> Sight:
    readings = {"activeRequests": load, "queueDepth": 0.0}
    return Sight(now, readings, current, current, 0)


class Echo:
    """Wants what it is shown to be busy."""

    def decide(self, seen: Sight) -> int:
        """Give the active requests."""
        return round(seen.readings["activeRequests"] or 0)


@pytest.mark.parametrize(("replicas", "late"), [(1, 2 / 3), (2, 1 / 3), (3, 0.0)])
def test_pool_counts_the_late_by_hand(replicas: int, late: float) -> None:
    past = a_past([0.0, 1.0, 2.0], [10.0, 10.0, 10.0], 60.0)
    fleet = np.full(4, replicas)
    assert oracle.late_share(past, fleet, 0, 5.0, 1.0) == pytest.approx(late)


def test_oracle_pays_little_more_than_the_floor_for_a_steady_load() -> None:
    at = np.arange(0.0, 7200.0, 1.0)
    past = a_past(at.tolist(), [10.0] * len(at), 7200.0)
    told = oracle.measure(past, 5.0, 0.99)
    assert told.floor == pytest.approx(10 * 6600 / 3600, rel=0.01)
    assert told.floor <= told.oracle <= 1.12 * told.floor


def test_knative_panics_at_twice_its_fleet_and_does_not_shrink_meanwhile() -> None:
    peer = Knative(per_replica=1.0, most=50)
    assert peer.decide(sight(0.0, 2, current=2)) == 2
    assert peer.decide(sight(15.0, 20, current=2)) == 20
    assert peer.decide(sight(30.0, 0, current=20)) == 20


def test_ray_serve_changes_only_what_was_wanted_without_a_break() -> None:
    peer = RayServe(per_replica=1.0, most=50)
    wishes = [peer.decide(sight(now, 9, current=3)) for now in (0.0, 15.0, 30.0)]
    assert wishes == [3, 3, 9]
    assert peer.decide(sight(45.0, 2, current=9)) == 9  # mean of two samples 5.5: down is wanted
    assert peer.decide(sight(645.0, 2, current=9)) == 2


def test_knative_follows_the_mean_of_a_minute_and_halves_at_most() -> None:
    peer = Knative(per_replica=2.0, most=50)
    assert peer.decide(sight(0.0, 12, current=10)) == 6  # 12 / 2
    assert peer.decide(sight(15.0, 8, current=6)) == 5  # mean 10
    assert peer.decide(sight(100.0, 0, current=5)) == 2  # the mean is 0, but half of 5 stays


def test_keda_wishes_a_replica_for_so_many_in_service_and_waiting() -> None:
    keda = PEERS["KEDA on queue + active"](0.5, 4, 50)
    seen = Sight(0.0, {"activeRequests": 8.0, "queueDepth": 3.0}, 2, 2, 0)
    assert keda.decide(seen) == 6  # 11 / (0.5 x 4) = 5.5; four more than two are allowed


def test_hpa_keeps_a_fleet_for_five_minutes_after_the_last_need() -> None:
    hpa = PEERS["HPA on utilization"](0.5, 4, 50)

    def at(now: float, active: float, current: int) -> int:
        readings = {"activeRequests": active, "capacity": 4.0 * current}
        return hpa.decide(Sight(now, readings, current, current, 0))

    assert at(0.0, 8.0, 2) == 4  # all busy: twice as many for a half
    assert at(15.0, 2.0, 4) == 4
    assert at(299.0, 2.0, 4) == 4
    assert at(301.0, 2.0, 4) == 1


def test_thresholds_as_written_take_a_slow_model_for_a_small_fleet() -> None:
    readings = {
        "activeRequests": 4.0,
        "queueDepth": 0.0,
        "capacity": 8.0,
        "latencySeconds": 20.0,
        "waitSeconds": 0.0,
        "errorRatio": 0.0,
    }
    seen = Sight(0.0, readings, 2, 2, 0)
    assert thresholds(50).decide(seen) == 4
    assert WaitAsLatency(thresholds(50)).decide(seen) == 2


def test_a_lost_scrape_leaves_the_readings_before() -> None:
    scaler = Disturbed(Echo(), noise=0.0, lost=1.0, rng=chance("test"))
    assert [scaler.decide(sight(at, load, current=1)) for at, load in ((0, 4), (15, 9))] == [4, 4]


def test_noise_keeps_the_mean_of_what_is_read() -> None:
    scaler = Disturbed(Echo(), noise=0.3, lost=0.0, rng=chance("test"))
    seen = [scaler.decide(sight(float(at), 1000, current=1)) for at in range(2000)]
    assert np.mean(seen) == pytest.approx(1000, rel=0.03)
    assert np.std(seen) == pytest.approx(305, rel=0.1)


def test_outages_begin_where_the_work_rises_most() -> None:
    hours = [1, 1, 1, 1, 1, 9, 9, 9, 1, 1] + 14 * [1] + [1, 1, 1, 5, 5, 5, 1, 1]
    at = [hour * HOUR + 60.0 * number for hour, many in enumerate(hours) for number in range(many)]
    past = a_past(at, [10.0] * len(at), len(hours) * HOUR)
    assert rises(past, 2) == [5 * HOUR, 27 * HOUR]
    assert World(outages=2).befall(past).gaps == (
        (5 * HOUR, 6 * HOUR),
        (27 * HOUR, 28 * HOUR),
    )


def test_worlds_leave_out_loads_that_say_nothing_there() -> None:
    short = a_past([0.0], [10.0], HOUR)
    assert not World(outages=2).suits(short)
    assert World().suits(short)
    full = a_past(np.arange(0.0, HOUR).tolist(), [20.0] * 3600, HOUR)  # 16 calls on average
    assert World(most_calls=16.0).suits(full)
    assert not World(most_calls=15.9).suits(full)
