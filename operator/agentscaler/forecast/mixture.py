"""A forecast of several forecasts."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from agentscaler.forecast import columns
from agentscaler.forecast.columns import Doubles, Floats, Ints
from agentscaler.forecast.outlook import View
from agentscaler.forecast.rhythm import Rhythm

_GAIN = np.float32(2 / 6)


@dataclass(slots=True)
class _State:
    level: Floats
    spread: Floats

    @classmethod
    def blank(cls, rows: int) -> "_State":
        return cls(level=columns.unknown(rows), spread=columns.zeros(rows))


class Mixture:
    """The state of each row, and what it says of the time ahead."""

    def __init__(self, rhythm: Rhythm, quantiles: Doubles) -> None:
        self._rhythm = rhythm
        self.state = _State.blank(len(quantiles))

    def close(self, bucket: int, loads: Doubles) -> None:
        """Take the loads of a bucket, NaN where unknown; buckets come one after the other."""
        state = self.state
        error = np.nan_to_num(loads.astype(np.float32) - state.level)
        state.spread += _GAIN * (np.abs(error) - state.spread) * np.isfinite(loads)
        state.level = np.where(np.isfinite(state.level), state.level + _GAIN * error, loads)
        state.level = state.level.astype(np.float32)

    def widen(self, more: "Mixture") -> None:
        """Append the rows of another."""
        columns.widen(self.state, more.state)

    def put(self, slots: Ints, source: "Mixture") -> None:
        """Overwrite the rows at `slots` by those of another, which is as far in time."""
        columns.put(self.state, slots, source.state)

    def view(self, slot: int, ahead: float, over: float) -> View:
        """Look `ahead` buckets beyond the last one and `over` more."""
        level = float(self.state.level[slot])
        if not isfinite(level):
            return View(0.0, 0.0, trusted=False, message="no sample yet")
        return View(
            level,
            level + 2 * float(self.state.spread[slot]),
            trusted=False,
            message="still learning",
        )
