"""Which pods come and go when the count changes."""

from itertools import islice, repeat
from statistics import mean, quantiles

from agentscaler.simulate.cluster import Cluster, start_delays
from agentscaler.simulate.plant import Plant
from agentscaler.simulate.workload import Request, chance


def cluster(*, ready: int, slots: int = 2, delay: float = 30) -> Cluster:
    return Cluster(Plant(slots), repeat(delay), ready=ready)


def test_new_replicas_serve_after_their_delay() -> None:
    pool = cluster(ready=1)
    pool.set_replicas(3)
    assert (pool.replicas, pool.ready, pool.starting) == (3, 1, 2)
    pool.advance(29)
    assert pool.ready == 1
    pool.advance(30)
    assert (pool.ready, pool.starting) == (3, 0)


def test_starting_replicas_are_removed_first_the_last_one_before_the_others() -> None:
    pool = Cluster(Plant(2), iter([30.0, 50.0, 40.0]), ready=1)
    pool.set_replicas(4)
    pool.set_replicas(3)
    pool.advance(60)
    assert (pool.ready, pool.starting) == (3, 0)


def test_the_idlest_replica_is_removed_and_drains() -> None:
    pool = cluster(ready=2)
    for at in (0, 0, 0):
        pool.arrive(Request(at, 10))
    pool.set_replicas(1)
    busy = [len(pod.in_service) for pod in pool.plant.pods.values()]
    assert (pool.ready, busy) == (1, [2, 1])
    pool.arrive(Request(1, 10))
    assert len(pool.plant.waiting) == 1
    pool.advance(10)
    assert len(pool.plant.pods) == 1


def test_a_removed_replica_is_not_paid_for_any_more() -> None:
    pool = cluster(ready=2)
    pool.advance(100)
    pool.set_replicas(1)
    pool.advance(200)
    assert pool.plant.tally.replica_seconds == 300


def test_start_delays_have_the_median_and_the_tail_of_the_benchmark() -> None:
    delays = list(islice(start_delays(chance("delays")), 20_000))
    cuts = quantiles(delays, n=100)
    assert 29 < cuts[49] < 31
    assert 57 < cuts[94] < 63


def test_starts_that_fail_are_repeated_after_a_pause_that_doubles() -> None:
    """Half of the starts fail, so the mean pod needs two starts and a pause of 10, 20, 40 s ..."""
    failing = list(islice(start_delays(chance("delays"), failing=0.5), 20_000))
    smooth = list(islice(start_delays(chance("delays")), 20_000))
    assert mean(failing) > 2 * mean(smooth) + 10
    assert sum(delay > 300 for delay in failing) / len(failing) < 0.1
    assert next(start_delays(chance("delays"), failing=0.9)) >= next(start_delays(chance("delays")))


def test_rollout_replaces_a_quarter_at_a_time_and_keeps_the_count_in_service() -> None:
    pool = cluster(ready=8)
    old = set(pool.plant.pods)
    pool.roll_out()
    assert (pool.replicas, pool.ready, len(pool.plant.pods)) == (8, 8, 10)
    for second in range(1, 121):
        pool.advance(second)
        assert (pool.replicas, pool.ready) == (8, 8)
        assert pool.is_rolling_out == (second < 120)
    assert old.isdisjoint(pool.plant.pods)
    assert len(pool.plant.pods) == 8


def test_replicas_added_in_a_rollout_are_of_the_new_kind() -> None:
    pool = cluster(ready=4)
    pool.roll_out()
    pool.set_replicas(5)
    pool.advance(30)
    assert (pool.replicas, pool.ready) == (5, 5)
    pool.advance(120)
    assert not pool.is_rolling_out
    assert len(pool.plant.pods) == 5


def test_rollout_ends_when_the_last_old_replica_is_removed() -> None:
    pool = cluster(ready=2)
    pool.roll_out()
    pool.set_replicas(0)
    assert (pool.replicas, pool.is_rolling_out, pool.plant.pods) == (0, False, {})
    pool.advance(60)
    assert pool.ready == 0


def test_draining_replicas_of_a_rollout_finish_what_they_have() -> None:
    pool = cluster(ready=1)
    pool.arrive(Request(0, 100))
    pool.roll_out()
    pool.advance(30)
    assert (pool.ready, len(pool.plant.pods)) == (1, 2)
    pool.advance(100)
    assert pool.plant.tally.cut == 0
    assert len(pool.plant.pods) == 1
