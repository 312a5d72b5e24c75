"""The mean of the load at the same time of day, over the last day: simple and easily explained.

Kept exactly as people know it, to be chosen alone (`prediction.method: TimeOfDay`).
"""

from dataclasses import dataclass
from math import floor
from typing import Final

import numpy as np

from agentscaler.forecast import columns
from agentscaler.forecast.columns import Doubles, Floats, Ints
from agentscaler.forecast.outlook import View
from agentscaler.forecast.rhythm import Rhythm

SAMPLES: Final = 10
"""Fewest samples to speak at all, and how many of the newest stand in for an unknown hour."""
SHARE_OF_SEASON: Final = 24
"""Loads count as of the same time when within this part of the season: an hour of a day."""


@dataclass(slots=True)
class _State:
    loads: Floats

    @classmethod
    def blank(cls, buckets: int, rows: int) -> "_State":
        return cls(loads=columns.unknown(buckets, rows))


class TimeOfDay:
    """The loads of the last season, one per bucket, for each row."""

    def __init__(self, rhythm: Rhythm, quantiles: Doubles) -> None:
        reach = rhythm.buckets // SHARE_OF_SEASON
        self._around = np.arange(-reach, reach + 1)
        self._backwards = -np.arange(rhythm.buckets)
        self._buckets = rhythm.buckets
        self.last = 0
        self.state = _State.blank(rhythm.buckets, len(quantiles))

    def close(self, bucket: int, loads: Doubles) -> None:
        """Take the loads of a bucket, NaN where unknown; buckets come one after the other."""
        self.last = bucket
        self.state.loads[bucket % self._buckets] = loads

    def widen(self, more: "TimeOfDay") -> None:
        """Append the rows of another."""
        columns.widen(self.state, more.state)

    def put(self, slots: Ints, source: "TimeOfDay") -> None:
        """Overwrite the rows at `slots` by those of another, which is as far in time."""
        self.last = max(self.last, source.last)
        columns.put(self.state, slots, source.state)

    def view(self, slot: int, ahead: float, over: float) -> View:
        """Look `ahead` buckets beyond the last one and `over` more; the highest mean counts."""
        loads = self.state.loads[:, slot]
        newest = loads[(self.last + self._backwards) % self._buckets]
        newest = newest[np.isfinite(newest)]
        if len(newest) < SAMPLES:
            return View(0.0, 0.0, False, f"{len(newest)} of the {SAMPLES} samples it needs")
        stand_in = float(newest[:SAMPLES].mean())
        steps = np.arange(floor(ahead + 0.5), floor(ahead + over + 0.5) + 1)
        mean = max(self._mean(loads, self.last + int(step), stand_in) for step in steps)
        return View(mean, mean, True, f"mean of the same time of day, from {len(newest)} samples")

    def _mean(self, loads: Floats, bucket: int, stand_in: float) -> float:
        same_time = loads[(bucket + self._around) % self._buckets]
        same_time = same_time[np.isfinite(same_time)]
        return float(same_time.mean()) if len(same_time) else stand_in
