"""What earlier seasons looked like: the days alike today, scaled to today's level.

Each of the last seven days is a shape. How well each followed the load of the last hours, after
scaling, decides how much it counts now: so a Monday after a weekend follows Friday, a holiday
follows Sunday, and no calendar is needed. Shapes are kept as smoothed means of a few buckets.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from agentscaler.forecast import columns
from agentscaler.forecast.columns import Floats, Halves, Ints, ratio
from agentscaler.forecast.levels import SPANS, decays

SEASONS: Final = 7
MOST_SLOTS: Final = 144
"""Of a day: ten minutes each. Finer ones cost memory and gain nothing once smoothed."""
_SMOOTHED_SHARE: Final = 72
"""A shape is smoothed over this part of the season to each side: 20 minutes of a day."""
_LIKENESS: Final = 6
"""How strongly the days that were closer are preferred."""
_MOST_GROWTH: Final = 4.0
"""A day counts scaled by at most this: next to nothing then says little of now."""
_TIME_OF_DAY_SHARE: Final = 24
_MEMORY_SHARE: Final = 12
"""Likeness forgets by half in this part of the season: two hours of a day."""
_GAINS: Final = 1 - decays(SPANS)[:, :, None]


class Slots:
    """The places of buckets in the ring of slots: of a day, of seven, and a little more."""

    def __init__(self, buckets: int) -> None:
        self.buckets: Final = buckets
        self.season: Final = min(MOST_SLOTS, buckets)
        self.smoothed: Final = max(1, round(self.season / _SMOOTHED_SHARE))
        self.ring: Final = SEASONS * self.season + 2 * self.smoothed + 2
        self.around: Final = np.arange(2 * (self.season // _TIME_OF_DAY_SHARE) + 1)
        self.keep: Final = np.float32(0.5 ** (_MEMORY_SHARE / buckets))
        self._lags = np.arange(1, SEASONS + 1)[:, None] * self.season

    def number(self, bucket: int) -> int:
        """Tell the slot of a bucket, counted from the epoch."""
        return bucket * self.season // self.buckets

    def before(self, buckets: Ints) -> tuple[Ints, Floats]:
        """Place buckets in each earlier season: the slot in the ring, and the way to the next."""
        position = (buckets + 0.5) * (self.season / self.buckets) - 0.5
        slot = np.floor(position).astype(np.int64)
        return (slot - self._lags) % self.ring, (position - slot).astype(np.float32)[:, None]

    def same_time(self, buckets: Ints) -> Ints:
        """Tell the slots around the same time of the season before."""
        middle = buckets * self.season // self.buckets - self.season
        return (middle[:, None] + self.around - len(self.around) // 2) % self.ring


@dataclass(slots=True)
class Shapes:
    """The ring of smoothed slots; and per earlier season, how it compares with the present one."""

    slots: Halves
    raw: Floats
    total: Floats
    count: Floats
    load: Floats
    shape: Floats
    error: Floats
    evidence: Floats

    @classmethod
    def blank(cls, places: Slots, rows: int) -> "Shapes":
        """Give rows that have seen nothing."""
        return cls(
            slots=columns.packed(columns.unknown(places.ring, rows)),
            raw=columns.unknown(2 * places.smoothed + 1, rows),
            total=columns.zeros(rows),
            count=columns.zeros(rows),
            load=columns.zeros(len(SPANS), SEASONS, rows),
            shape=columns.zeros(len(SPANS), SEASONS, rows),
            error=columns.zeros(SEASONS, rows),
            evidence=columns.zeros(SEASONS, rows),
        )

    def collect(self, loads: Floats) -> None:
        """Take the loads of a bucket into the open slot."""
        seen = np.isfinite(loads)
        self.total += np.where(seen, loads, 0)
        self.count += seen

    def close(self, places: Slots, slot: int) -> None:
        """End a slot: smooth the one that now has its neighbours on both sides."""
        width = len(self.raw)
        self.raw[slot % width] = ratio(self.total, self.count)
        self.total[:] = self.count[:] = 0
        smoothed = columns.mean(self.raw, axis=0)
        self.slots[(slot - places.smoothed) % places.ring] = columns.packed(smoothed)

    def compare(self, places: Slots, bucket: int, loads: Floats) -> None:
        """Hold the loads of a bucket against those of the same time in earlier seasons."""
        then = self._before(places, np.array([bucket]))[:, 0]
        known = np.isfinite(loads) & np.isfinite(then)
        error = np.where(known, np.abs(loads - self._growth()[-1] * then), 0)
        known_error = known & np.isfinite(error)
        self.evidence *= np.where(known_error, places.keep, 1)
        self.evidence += known_error
        step = np.where(known_error, error - self.error, 0)
        self.error += step / np.maximum(self.evidence, 1)
        self.load += np.where(known, _GAINS * (loads - self.load), 0)
        self.shape += np.where(known, _GAINS * (then - self.shape), 0)

    def forecast(self, places: Slots, buckets: Ints) -> Floats:
        """Forecast buckets to come (first axis) at each span of the level (second axis)."""
        then = self._before(places, buckets)
        known = np.isfinite(then)
        share = self._likeness()
        scale = np.where(np.isfinite(self._growth()), share * self._growth(), 0)
        usable = known & (share > 0)[:, None]
        summed = np.einsum("sdn,dhn->hsn", scale, np.where(usable, then, 0))
        weight = np.einsum("dn,dhn->hn", share, usable.astype(np.float32))
        return ratio(summed, weight[:, None])

    def time_of_day(self, places: Slots, buckets: Ints) -> Floats:
        """Average the time around the same hour of the season before, for buckets to come."""
        return columns.mean(self._at(places.same_time(buckets)), axis=1)

    def _before(self, places: Slots, buckets: Ints) -> Floats:
        slot, way = places.before(buckets)
        here, beyond = self._at(slot), self._at((slot + 1) % places.ring)
        return here + way * (beyond - here)

    def _at(self, slots: Ints) -> Floats:
        return columns.unpacked(self.slots[slots])

    def _growth(self) -> Floats:
        """Tell how many times the load of each earlier season the present one is."""
        return np.minimum(ratio(self.load, self.shape), np.float32(_MOST_GROWTH))

    def _likeness(self) -> Floats:
        """Weigh each earlier season; zero for those that nothing is known of."""
        known = (self.evidence > 0) & (self.shape[-1] > 0)
        error = np.where(known, self.error, np.inf)
        best = error.min(axis=0)
        closest = np.where(np.isfinite(best), best, 1)
        floor = np.maximum(closest, np.float32(1e-30))
        return np.where(known, (np.maximum(error, floor) / floor) ** np.float32(-_LIKENESS), 0)
