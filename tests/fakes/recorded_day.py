"""A day of an agent as Prometheus would have recorded it, made by a simulated fleet.

Since the day was simulated, the truth about it is known: what was paid and how long requests
waited. What a replay learns from the recording can be held against it.
"""

from dataclasses import dataclass
from itertools import takewhile
from typing import Final

import numpy as np

from agentscaler.simulate.days import Daily
from agentscaler.simulate.past import Past
from agentscaler.simulate.replay import SCRAPE_EVERY, Outcome, Replay, Terms
from agentscaler.simulate.scalers import Horizontal, Sight, on_utilization
from agentscaler.simulate.workload import Lognormal
from tests.fakes.lone_prometheus import NOON, Samples

DAY: Final = 86_400.0
SLOTS: Final = 4
START_UP: Final = 40.0
WORK: Final = Lognormal(mean=12.0, sigma=0.6)
_KUBE: Final = {"namespace": "agents", "deployment": "research"}
_AGENT: Final = {"namespace": "agents", "agent": "research", "pod": "all"}


@dataclass(frozen=True)
class Day:
    """What was recorded until noon, and how it really went."""

    samples: Samples
    outcome: Outcome


class _Recording:
    """An autoscaler of somebody else, whose fleet is scraped when it decides."""

    def __init__(self) -> None:
        self.rows: dict[str, list[float]] = {}
        self.scaler = Horizontal(on_utilization(0.6), 2, 20)
        self.replay: Replay | None = None

    def decide(self, seen: Sight) -> int:
        assert self.replay is not None
        cluster = self.replay._cluster
        tally = cluster.plant.tally
        for name, value in (
            ("agent_active_requests", cluster.in_service),
            ("agent_queue_depth", len(cluster.plant.waiting)),
            ("agent_capacity", cluster.ready * SLOTS),
            ("agent_requests_received_total", tally.arrivals),
            ("agent_requests_total", tally.succeeded),
            ("kube_deployment_status_replicas", cluster.replicas),
            ("kube_deployment_status_replicas_ready", cluster.ready),
        ):
            self.rows.setdefault(name, []).append(float(value))
        return self.scaler.decide(seen)


def lived(peak: float = 0.6) -> Day:
    """Live through a day; `peak` is requests a second at its busiest hour."""
    start = NOON.timestamp() - DAY
    arrivals = Daily(peak=peak, work=WORK, seed=7).arrivals(start)
    requests = list(takewhile(lambda request: request.at < start + DAY, arrivals))
    at, work = np.array([(each.at, each.work) for each in requests]).T
    past = Past(start=start, end=start + DAY, at=at, work=work, slots=SLOTS, start_up=START_UP)
    recording = _Recording()
    recording.replay = Replay(past, Terms(polling=SCRAPE_EVERY), replicas=4)
    outcome = recording.replay.run(recording)
    samples = Samples()
    for name, values in recording.rows.items():
        samples.add(name, _KUBE if name.startswith("kube_") else _AGENT, values)
    return Day(samples, outcome)
