"""What a plant counts: requests, waits, and the time of replicas.

A tally only adds up; the plant that owns it decides what happens.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final

BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of the histograms, in seconds; the last bucket has none."""


@dataclass(slots=True)
class Histogram:
    """Counts of observations by size, as Prometheus keeps them."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    @property
    def mean(self) -> float:
        """Mean of what was observed, in seconds; 0 when nothing was."""
        return self.total / count if (count := sum(self.counts)) else 0.0

    def since(self, mark: "Histogram") -> "Histogram":
        """Give what was observed after `mark`."""
        counts = [now - then for now, then in zip(self.counts, mark.counts, strict=True)]
        return Histogram(counts, self.total - mark.total)

    def cumulative(self) -> list[tuple[float, int]]:
        """Give each upper bound with the number of observations not above it."""
        below, pairs = 0, []
        for bound, here in zip((*BOUNDS, math.inf), self.counts, strict=True):
            below += here
            pairs.append((bound, below))
        return pairs


@dataclass(slots=True)
class Tally:
    """Sums since the plant began; `copy` one and ask `since` it, to score a span of time.

    `late` counts the requests that began their work after more than the wait target, `cut` those
    that ended because their replica went. `replica_seconds` are paid: from creation until gone.
    """

    arrivals: int = 0
    begun: int = 0
    late: int = 0
    succeeded: int = 0
    failed: int = 0
    cut: int = 0
    replica_seconds: float = 0.0
    busy_seconds: float = 0.0
    waits: "array[float]" = field(default_factory=lambda: array("d"))
    wait_histogram: Histogram = field(default_factory=Histogram)
    duration_histogram: Histogram = field(default_factory=Histogram)

    def copy(self) -> "Tally":
        """Keep the present sums as a mark."""
        return deepcopy(self)

    def since(self, mark: "Tally") -> "Tally":
        """Give the sums of what happened after `mark`."""
        return Tally(
            arrivals=self.arrivals - mark.arrivals,
            begun=self.begun - mark.begun,
            late=self.late - mark.late,
            succeeded=self.succeeded - mark.succeeded,
            failed=self.failed - mark.failed,
            cut=self.cut - mark.cut,
            replica_seconds=self.replica_seconds - mark.replica_seconds,
            busy_seconds=self.busy_seconds - mark.busy_seconds,
            waits=self.waits[len(mark.waits) :],
            wait_histogram=self.wait_histogram.since(mark.wait_histogram),
            duration_histogram=self.duration_histogram.since(mark.duration_histogram),
        )

    @property
    def replica_hours(self) -> float:
        """Replicas paid for, in hours."""
        return self.replica_seconds / 3600

    @property
    def mean_wait(self) -> float:
        """Mean time before work began, in seconds; 0 when none began."""
        return math.fsum(self.waits) / len(self.waits) if self.waits else 0.0

    def attainment(self, overdue: int = 0) -> float:
        """Tell the share served in time; `overdue` still wait longer than the target."""
        due = self.begun + overdue
        return 1 - (self.late + overdue) / due if due else 1.0

    def wait_quantile(self, quantile: float) -> float:
        """Tell the wait that this share of the requests did not exceed."""
        return _quantile(sorted(self.waits), quantile)


def _quantile(ordered: Sequence[float], quantile: float) -> float:
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]
