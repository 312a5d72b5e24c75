"""Averages of the recent load, over several spans, and a damped trend.

The weight of an average forgets with time, not with samples: after a gap the next sample counts for
more. Spans are in buckets.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from agentscaler.forecast import columns
from agentscaler.forecast.columns import Floats, Ints

SPANS: Final = (1, 5, 15, 45)
_LEVEL_GAIN: Final = np.float32(0.3)
_TREND_GAIN: Final = np.float32(0.05)
_DAMPING: Final = 0.9


def decays(spans: tuple[int, ...]) -> Floats:
    """Tell what is left of a weight after one bucket, one line per span."""
    return np.array([[(span - 1) / (span + 1)] for span in spans], np.float32)


@dataclass(slots=True)
class Levels:
    """Exponential averages of `SPANS` and, last, of the whole season; and Holt's damped trend."""

    level: Floats
    weight: Floats
    base: Floats
    trend: Floats

    @classmethod
    def blank(cls, rows: int) -> "Levels":
        """Give rows that have seen nothing."""
        return cls(
            level=columns.unknown(len(SPANS) + 1, rows),
            weight=columns.zeros(len(SPANS) + 1, rows),
            base=columns.unknown(rows),
            trend=columns.zeros(rows),
        )

    def update(self, loads: Floats, keep: Floats) -> None:
        """Take the loads of a bucket; `keep` is what is left of the weights after it."""
        seen = np.isfinite(loads)
        self.weight *= keep
        gain = 1 / (1 + self.weight)
        self.weight += seen
        first = np.where(np.isnan(self.level), loads, self.level)
        self.level = np.where(seen, first + gain * (loads - first), self.level)
        self._follow(loads, seen)

    def _follow(self, loads: Floats, seen: columns.Flags) -> None:
        base = np.where(np.isnan(self.base), loads, self.base)
        damped = np.float32(_DAMPING) * self.trend
        error = np.where(seen, loads - base - damped, 0)
        self.base = np.where(seen, base + damped + _LEVEL_GAIN * error, base)
        self.trend = np.where(seen, damped + _TREND_GAIN * _LEVEL_GAIN * error, self.trend)

    def trends(self, ahead: Ints) -> Floats:
        """Extend the damped trend by buckets, one line for each."""
        reach = _DAMPING * (1 - _DAMPING**ahead) / (1 - _DAMPING)
        return np.maximum(self.base + reach[:, None].astype(np.float32) * self.trend, 0)
