"""What one route has counted since it started, in plain numbers."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from agentscaler import conventions

# How a request can end beside `ok` and `error`: it never began, or its client went away.
OUTCOME_REJECTED: Final = "rejected"
OUTCOME_CANCELLED: Final = "cancelled"
OUTCOMES: Final = (
    conventions.OUTCOME_OK,
    conventions.OUTCOME_ERROR,
    OUTCOME_REJECTED,
    OUTCOME_CANCELLED,
)

# 5 s is the usual wait target and must be a bound of its own.
WAIT_BOUNDS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Tally:
    """Requests that came, waited and ended."""

    def __init__(self) -> None:
        self.received = 0
        self.retried = 0
        self.ended = dict.fromkeys(OUTCOMES, 0)
        self.waits = [0] * (len(WAIT_BOUNDS) + 1)
        self.waited_seconds = 0.0

    def begin(self, waited_seconds: float) -> None:
        """Count the wait of one that got a backend."""
        self.waits[bisect_left(WAIT_BOUNDS, waited_seconds)] += 1
        self.waited_seconds += waited_seconds

    def end(self, outcome: str) -> None:
        """Count how one ended."""
        self.ended[outcome] += 1

    def cumulated_waits(self) -> Iterator[tuple[str, float]]:
        """Give the waits as Prometheus has them: each bucket includes all smaller ones."""
        reached = 0
        for bound, number in zip((*WAIT_BOUNDS, "+Inf"), self.waits, strict=True):
            reached += number
            yield str(bound), reached
