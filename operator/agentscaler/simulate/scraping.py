"""What Prometheus would tell of a simulated fleet: gauges of the last scrape, rates of a minute."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from agentscaler.simulate.cluster import Cluster
from agentscaler.simulate.tally import BOUNDS

WINDOW: Final = 60.0
"""Seconds that rates and quantiles look back, as the operator's queries do."""
QUANTILE: Final = 0.95


@dataclass(frozen=True, slots=True)
class _Mark:
    at: float
    arrivals: int
    ended: int
    failed: int
    waits: tuple[int, ...]
    durations: tuple[int, ...]


class Scraper:
    """Looks at a cluster every now and then; between two looks it tells what it saw last."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._marks: deque[_Mark] = deque()
        self.gauges: dict[str, float | None] = {}

    def scrape(self, now: float) -> None:
        """Look at the cluster as it is."""
        cluster = self._cluster
        tally = cluster.plant.tally
        self.gauges = {
            "queueDepth": len(cluster.plant.waiting),
            "activeRequests": cluster.in_service,
            "capacity": cluster.ready * cluster.plant.slots,
        }
        self._marks.append(
            _Mark(
                now,
                tally.arrivals,
                tally.succeeded + tally.failed,
                tally.failed,
                tuple(tally.wait_histogram.counts),
                tuple(tally.duration_histogram.counts),
            )
        )
        while self._marks[0].at < now - WINDOW:
            self._marks.popleft()

    def readings(self) -> dict[str, float | None]:
        """Tell the readings by the names of the pilot."""
        if len(self._marks) < 2:  # noqa: PLR2004 - a rate needs two
            return dict(self.gauges)
        first, last = self._marks[0], self._marks[-1]
        span, ended = last.at - first.at, last.ended - first.ended
        return {
            **self.gauges,
            "arrivalRate": (last.arrivals - first.arrivals) / span,
            "completionRate": ended / span,
            "errorRatio": (last.failed - first.failed) / ended if ended else 0.0,
            "waitSeconds": _quantile(first.waits, last.waits),
            "latencySeconds": _quantile(first.durations, last.durations),
        }


def _quantile(before: tuple[int, ...], after: tuple[int, ...]) -> float | None:
    """Read a quantile of a histogram as Prometheus does: a straight line within a bucket."""
    counts = [now - then for now, then in zip(after, before, strict=True)]
    rank = QUANTILE * sum(counts)
    if not rank:
        return None
    low = below = 0.0
    for bound, count in zip(BOUNDS, counts, strict=False):
        if below + count >= rank:
            return low + (bound - low) * (rank - below) / count
        low, below = bound, below + count
    return low
