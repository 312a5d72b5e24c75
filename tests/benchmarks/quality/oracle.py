"""The yardsticks: a fleet that is never idle, and the cheapest schedule that knows the future.

The oracle holds `ceil(margin x mean busy slots over [t - a, t + 15 s + b] / slots)` replicas, with
the spans a and b and the least margin that serve as many in time as is asked. Its pods are ordered
ahead by the time of their start, which is paid. Its slots are pooled: which pod a request is on
does not matter, which flatters the oracle a little.
"""

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agentscaler.simulate.past import Past
from agentscaler.simulate.replay import UNSCORED

STEP: Final = 15.0
SPANS: Final = tuple((a, b) for a in (0.0, 60.0, 300.0) for b in (0.0, 60.0, 300.0))
RATES: Final = (300.0, 600.0)
"""Seconds to both sides over which one knows the rate who knows no more than that."""
_WIDEST: Final = 4.0
_HALVINGS: Final = 7
_MEAN_OF_MEDIAN: Final = 1.093  # of a lognormal whose 95th percentile is twice its median

Doubles = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Replica-hours of the floor and the oracle, on the scored part of a past."""

    floor: float
    oracle: float


def measure(past: Past, wait_target: float, attainment: float) -> Yardstick:
    """Find the oracle's cost for a service, and the floor's for any."""
    steps = int(np.ceil((past.end - past.start) / STEP))
    total = total_busy(past, steps)
    scored = int(UNSCORED // STEP)
    floor = float(total[-1] - total[scored]) / 3600 / past.slots
    cheapest = inf
    for before, after in SPANS:
        busy = _mean_busy(total, before, after)
        cheapest = _least(past, busy, scored, wait_target, 1 - attainment, cheapest)
    return Yardstick(floor, cheapest)


def total_busy(past: Past, steps: int) -> Doubles:
    """Integrate the busy slots up to each step, had none ever waited."""
    edges = past.start + STEP * np.arange(steps + 1)
    ends = np.sort(past.at + past.work)

    def passed(moments: Doubles) -> Doubles:
        summed = np.concatenate(([0.0], np.cumsum(moments)))
        count = np.searchsorted(moments, edges, side="right")
        return count * edges - summed[count]

    # In double precision, seconds since the epoch times a million requests stay exact to 1 s.
    return passed(past.at) - passed(ends)


def _mean_busy(total: Doubles, before: float, after: float) -> Doubles:
    """Tell the mean busy slots about each step."""
    steps = np.arange(len(total) - 1)
    first = np.maximum(steps - round(before / STEP), 0)
    last = np.minimum(steps + 1 + round(after / STEP), len(total) - 1)
    return np.asarray((total[last] - total[first]) / ((last - first) * STEP))


def _least(
    past: Past, busy: Doubles, scored: int, wait: float, allowed: float, cheapest: float
) -> float:
    """Halve the span of margins; a margin that costs more than is known need not be tried."""
    low, high = 0.5, _WIDEST
    best = cheapest
    for _ in range(_HALVINGS):
        margin = (low + high) / 2
        fleet = np.maximum(np.ceil(margin * busy / past.slots), 1).astype(np.int64)
        cost = _cost(past, fleet, scored)
        if cost >= best or late_share(past, fleet, scored, wait, allowed) <= allowed:
            best = min(best, cost)
            high = margin
        else:
            low = margin
    return best


def of_rate(past: Past, span: float, wait: float, attainment: float) -> float:
    """Give the least cost for one that knows the rate of `span` seconds to both sides, no more.

    It holds the mean busy slots R of that time plus a room of beta x sqrt(R), with the least beta
    that serves as many in time: what comes together by chance within that time is not foreseen.
    """
    steps, scored = int(np.ceil((past.end - past.start) / STEP)), int(UNSCORED // STEP)
    rate = _mean_busy(total_busy(past, steps), span, span)
    low, high, best = -2.0, 4.0, inf
    for _ in range(_HALVINGS):
        beta = (low + high) / 2
        slots = np.maximum(rate + beta * np.sqrt(rate), rate / 2)
        fleet = np.maximum(np.ceil(slots / past.slots), 1).astype(np.int64)
        if late_share(past, fleet, scored, wait, 1 - attainment) <= 1 - attainment:
            best, high = _cost(past, fleet, scored), beta
        else:
            low = beta
    return best


def _cost(past: Past, fleet: Counts, scored: int) -> float:
    ups = np.maximum(np.diff(fleet[scored:]), 0).sum()
    return float(fleet[scored:].sum() * STEP + ups * past.start_up * _MEAN_OF_MEDIAN) / 3600


def late_share(past: Past, fleet: Counts, scored: int, wait: float, allowed: float) -> float:
    """Serve all requests with a pool that follows the schedule; 1 once too many were late."""
    pool = _Pool(past, STEP * scored, wait)
    steps = STEP * np.arange(len(fleet) + 1)
    edges: list[int] = np.searchsorted(past.at - past.start, steps).tolist()
    judged = max(1, edges[-1] - edges[scored])
    for step, replicas in enumerate(fleet.tolist()):
        pool.serve(range(edges[step], edges[step + 1]), replicas * past.slots, STEP * step)
        if pool.late > allowed * judged:
            return 1.0
    return pool.late / judged


class _Pool:
    """Slots in common, and one queue; seconds count from the start of the past."""

    def __init__(self, past: Past, judged_from: float, wait: float) -> None:
        self.late = 0
        self._at: list[float] = (past.at - past.start).tolist()
        self._work: list[float] = past.work.tolist()
        self._judged_from = judged_from
        self._wait = wait
        self._ends: list[float] = []
        self._waiting: deque[int] = deque()

    def serve(self, arrivals: range, slots: int, now: float) -> None:
        """Let a step pass in which there are so many slots."""
        at, work, ends, waiting = self._at, self._work, self._ends, self._waiting
        self._begin_waiting(now, slots)
        for number in arrivals:
            arrival = at[number]
            if ends and ends[0] <= arrival:
                self._end(arrival, slots)
            if waiting or len(ends) >= slots:
                waiting.append(number)
            else:
                heappush(ends, arrival + work[number])
        self._end(now + STEP, slots)

    def _end(self, until: float, slots: int) -> None:
        while self._ends and self._ends[0] <= until:
            self._begin_waiting(heappop(self._ends), slots)

    def _begin_waiting(self, now: float, slots: int) -> None:
        while self._waiting and len(self._ends) < slots:
            first = self._waiting.popleft()
            heappush(self._ends, now + self._work[first])
            arrived = self._at[first]
            self.late += arrived >= self._judged_from and now - arrived > self._wait
