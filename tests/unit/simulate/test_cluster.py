"""Which pods come and go when the count changes."""

from itertools import islice, repeat
from statistics import quantiles

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
