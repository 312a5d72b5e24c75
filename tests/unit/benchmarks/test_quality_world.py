"""The benchmark of decisions: its yardstick by hand, its other autoscalers, its disturbances."""

import numpy as np
import pytest

from agentscaler.simulate.past import Past
from agentscaler.simulate.scalers import Sight
from agentscaler.simulate.workload import chance
from tests.benchmarks.quality import oracle
from tests.benchmarks.quality.peers import Knative, RayServe
from tests.benchmarks.quality.worlds import Disturbed


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
    assert peer.decide(sight(45.0, 2, current=9)) == 9
    assert peer.decide(sight(645.0, 2, current=9)) == 2


def test_a_lost_scrape_leaves_the_readings_before() -> None:
    scaler = Disturbed(Echo(), noise=0.0, lost=1.0, rng=chance("test"))
    assert [scaler.decide(sight(at, load, current=1)) for at, load in ((0, 4), (15, 9))] == [4, 4]


def test_noise_keeps_the_mean_of_what_is_read() -> None:
    scaler = Disturbed(Echo(), noise=0.3, lost=0.0, rng=chance("test"))
    seen = [scaler.decide(sight(float(at), 1000, current=1)) for at in range(2000)]
    assert np.mean(seen) == pytest.approx(1000, rel=0.03)
    assert np.std(seen) == pytest.approx(305, rel=0.1)
