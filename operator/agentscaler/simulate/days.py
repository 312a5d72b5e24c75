"""Synthetic days of agent load: a steep morning, a lunch dip, bursts and noise.

Every day has the same shape and its own chance, drawn from the seed and the day's number. So the
load of any span is the same however it is reached: past days can be made for a forecast to learn
from, and the next ones are of the same kind without being equal.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, pairwise
from random import Random
from typing import Final

from agentscaler.simulate.workload import Lognormal, Request, Segment, chance, poisson

HOURS: Final = 24.0
SEGMENTS: Final = 288
"""Spans of one rate in a day: five minutes each."""

# Share of the peak at an hour of the day. Offices fill within two hours, eat, and empty slowly.
_SHAPE: Final = (
    (0.0, 0.10),
    (4.0, 0.06),
    (7.0, 0.12),
    (9.25, 0.88),
    (11.0, 1.00),
    (12.75, 0.62),
    (14.5, 0.96),
    (16.5, 0.88),
    (19.0, 0.42),
    (21.0, 0.26),
    (24.0, 0.10),
)
_MEMORY: Final = 0.8  # of the noise, from one segment to the next
_BURST_HOURS: Final = (8.0, 20.0)
_BURST_LASTS: Final = 0.4  # hours until a burst has faded to a third


@dataclass(frozen=True, slots=True)
class Daily:
    """Days of `season` seconds; day 0 begins at second 0, and there are days before it.

    `peak` is requests a second at the busiest hour, without noise (relative, lognormal) and
    bursts, each of which adds `burst_height` x `peak` at once and fades.
    """

    peak: float
    work: Lognormal
    seed: int
    season: float = 86_400.0
    noise: float = 0.08
    bursts: int = 2
    burst_height: float = 0.5

    def arrivals(self, start: float) -> Iterator[Request]:
        """Give the requests from `start` on, for ever."""
        for day in count(math.floor(start / self.season)):
            rng = chance(self.seed, day)
            for request in poisson(self._segments(day, rng), self.work, rng):
                if request.at >= start:
                    yield request

    def _segments(self, day: int, rng: Random) -> list[Segment]:
        """Give the day its rates."""
        bursts = sorted(rng.uniform(*_BURST_HOURS) for _ in range(self.bursts))
        width = self.season / SEGMENTS
        mood, segments = rng.gauss(0, 1), []
        for number in range(SEGMENTS):
            hour = number * HOURS / SEGMENTS
            share = (shape(hour) + self._burst(hour, bursts)) * math.exp(self.noise * mood)
            start = day * self.season + number * width
            segments.append(Segment(start, start + width, self.peak * share))
            mood = _MEMORY * mood + math.sqrt(1 - _MEMORY**2) * rng.gauss(0, 1)
        return segments

    def _burst(self, hour: float, bursts: list[float]) -> float:
        begun = [hour - start for start in bursts if start <= hour]
        return self.burst_height * sum(math.exp(-since / _BURST_LASTS) for since in begun)


def shape(hour: float) -> float:
    """Tell the usual share of the peak at an hour of the day, 0 to 24."""
    for (left, low), (right, high) in pairwise(_SHAPE):
        if left <= hour <= right:
            rise = (1 - math.cos(math.pi * (hour - left) / (right - left))) / 2
            return low + (high - low) * rise
    raise ValueError(f"{hour} is no hour of a day")
