"""How far ahead forecasts are made and judged, in buckets, and where they wait for their time.

Far horizons change slowly and cost memory for every forecast that waits, so they are only tried at
every second or fourth bucket: at most 15 forecasts of each wait.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from agentscaler.forecast import columns
from agentscaler.forecast.columns import Doubles, Floats, Halves, Ints

AHEAD: Final = np.array([1, 5, 15, 30, 60])
STRIDES: Final = np.array([1, 1, 1, 2, 4])
"""Each divides its own horizon and the strides after it, so the horizons due are the first few."""
LONGEST: Final = int(AHEAD[-1])
_PLACES: Final = AHEAD // STRIDES
_FIRST: Final = np.concatenate(([0], np.cumsum(_PLACES)[:-1]))


def due(bucket: int) -> int:
    """Tell how many horizons, from the nearest, are tried at a bucket."""
    return int((bucket % STRIDES == 0).sum())


def per_horizon(values: Doubles) -> Floats:
    """Shape numbers, one per horizon, so that they meet arrays (horizon, expert, row)."""
    return values.astype(np.float32)[:, None, None]


@dataclass(slots=True)
class Waiting:
    """Forecasts of each expert and their scale, until their time comes."""

    forecasts: Halves

    @classmethod
    def blank(cls, experts: int, rows: int) -> "Waiting":
        """Give rows for which nothing was forecast."""
        nothing = columns.unknown(int(_PLACES.sum()), experts, rows)
        return cls(forecasts=columns.packed(nothing))

    def ripe(self, bucket: int) -> Floats:
        """Tell what was forecast for a bucket by the horizons due."""
        return columns.unpacked(self.forecasts[self._places(bucket)])

    def put_in(self, bucket: int, fresh: Floats) -> None:
        """Let the forecasts made at a bucket wait."""
        places = self._places(bucket)
        self.forecasts[places] = columns.packed(fresh[: len(places)])

    @staticmethod
    def _places(bucket: int) -> Ints:
        count = due(bucket)
        places: Ints = _FIRST + bucket // STRIDES % _PLACES
        return places[:count]
