"""What fixed fleets would have cost: the same arrivals, served by the same plant."""

from collections.abc import Sequence
from dataclasses import dataclass

from agentscaler.simulate.plant import Plant
from agentscaler.simulate.workload import Request
from tests.bed.fleet.config import requests_between
from tests.demo.scenario import LOAD, SLOTS, WAIT_TARGET

WARM_UP_SECONDS = 30.0
MOST_REPLICAS = 100


@dataclass(frozen=True)
class Fixed:
    """A fleet that never changes, and how it would have done."""

    replicas: int
    attainment: float
    mean_wait: float
    p99_wait: float
    replica_hours: float


def serve(requests: Sequence[Request], replicas: int, start: float, end: float) -> Fixed:
    """Let a fixed fleet serve the requests; what came before `start` only warms it up."""
    plant = Plant(SLOTS, wait_target=WAIT_TARGET, start=start - WARM_UP_SECONDS)
    for number in range(replicas):
        plant.pod_created(f"pod-{number}")
        plant.pod_ready(f"pod-{number}")
    before = [request for request in requests if request.at < start]
    for request in before:
        plant.arrive(request)
    plant.advance(start)
    mark = plant.tally.copy()
    for request in requests[len(before) :]:
        plant.arrive(request)
    plant.advance(end)
    tally = plant.tally.since(mark)
    return Fixed(
        replicas,
        tally.attainment(plant.overdue),
        tally.mean_wait,
        tally.wait_quantile(0.99),
        tally.replica_hours,
    )


def cheapest(start: float, end: float, attainment: float) -> Fixed:
    """Find the smallest fixed fleet that serves at least this share in time."""
    requests = requests_between(LOAD, start - WARM_UP_SECONDS, end)
    low, high = 1, MOST_REPLICAS
    while low < high:  # more replicas never serve fewer in time
        middle = (low + high) // 2
        if serve(requests, middle, start, end).attainment >= attainment:
            high = middle
        else:
            low = middle + 1
    return serve(requests, low, start, end)


def of_size(start: float, end: float, replicas: int) -> Fixed:
    """Tell how a fixed fleet of this size would have done."""
    requests = requests_between(LOAD, start - WARM_UP_SECONDS, end)
    return serve(requests, replicas, start, end)
