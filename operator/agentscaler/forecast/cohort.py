"""Rows that share a method and a rhythm: their samples become the loads of buckets, all at once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol, Self

import numpy as np

from agentscaler.api.policy import Method
from agentscaler.forecast.columns import Doubles, Ints
from agentscaler.forecast.mixture import Mixture
from agentscaler.forecast.outlook import View
from agentscaler.forecast.rhythm import Rhythm
from agentscaler.forecast.timeofday import TimeOfDay

MOST_LOAD: Final = 1e9
"""Loads beyond are cut: no agent has a billion requests, and squares must stay finite."""
LONGEST_MEMORY: Final = 9
"""Seasons after which nothing is remembered: older history is not worked in, and rows that time
has left so far behind begin anew."""
_MOST_MISSED: Final = 120
"""Buckets that are closed as unknown while decisions wait; ten thousand rows take 20 ms each."""
_MOST_BACK: Final = timedelta(minutes=5)
"""Until time that went back has come so far again, samples are dropped as late."""


class Forecaster(Protocol):
    """What turns the loads of buckets into views: for all rows of a cohort together."""

    def close(self, bucket: int, loads: Doubles) -> None: ...

    def widen(self, more: Self) -> None: ...

    def put(self, slots: Ints, source: Self) -> None: ...

    def view(self, slot: int, ahead: float, over: float) -> View: ...


_FORECASTERS: Final[dict[Method, Callable[[Rhythm, Doubles], Forecaster]]] = {
    Method.MIXTURE: Mixture,
    Method.TIME_OF_DAY: TimeOfDay,
}


class Cohort:
    """The open bucket of each row, and the forecaster that is fed with the closed ones."""

    def __init__(self, method: Method, rhythm: Rhythm, quantiles: Doubles) -> None:
        self.method: Final = method
        self.rhythm: Final = rhythm
        self.quantiles = quantiles
        self.open = 0
        self.sums = np.zeros(len(quantiles))
        self.counts = np.zeros(len(quantiles))
        self.forecaster = _forecaster(method, rhythm, quantiles)

    def __len__(self) -> int:
        return len(self.quantiles)

    def widen(self, rows: int) -> None:
        """Make room for more rows."""
        more = np.full(rows, 0.5)
        self.quantiles = np.append(self.quantiles, more)
        self.sums = np.append(self.sums, np.zeros(rows))
        self.counts = np.append(self.counts, np.zeros(rows))
        self.forecaster.widen(_forecaster(self.method, self.rhythm, more))

    def begin(self, slot: int, quantile: float) -> None:
        """Let a row begin anew, with nothing seen."""
        self._put(np.array([slot]), Cohort(self.method, self.rhythm, np.array([quantile])))

    def is_left_behind(self, now: datetime) -> bool:
        """Tell whether time has jumped so far that a history serves better than what is here."""
        missed = self.rhythm.number(now) - self.open
        return not self._is_new() and (
            missed > _MOST_MISSED or (missed + 1) * self.rhythm.bucket < -_MOST_BACK
        )

    def advance(self, bucket: int) -> None:
        """Close all buckets before this one; those without samples have an unknown load."""
        if self._is_new() or bucket - self.open > LONGEST_MEMORY * self.rhythm.buckets:
            self.forecaster = _forecaster(self.method, self.rhythm, self.quantiles)
            self.sums[:] = self.counts[:] = 0
            self.open = bucket
        while self.open < bucket:
            self.forecaster.close(self.open, self._loads())
            self.sums[:] = self.counts[:] = 0
            self.open += 1

    def add(self, bucket: int, slots: Ints, loads: Doubles) -> None:
        """Count samples in the open bucket; the past is closed, so late samples are dropped."""
        if bucket == self.open:
            usable = np.isfinite(loads) & (loads >= 0)
            np.add.at(self.sums, slots[usable], np.minimum(loads[usable], MOST_LOAD))
            np.add.at(self.counts, slots[usable], 1)

    def backfill(self, slots: Ints, times: Doubles, loads: Doubles) -> None:
        """Replace rows by what they would be, had they seen these samples (row, sample) live."""
        if not len(slots):
            return
        twin = Cohort(self.method, self.rhythm, self.quantiles[slots])
        rows = np.arange(len(slots))
        buckets = self.rhythm.position(times).astype(np.int64)
        age = self.open - buckets
        # Before the first sample of all rows nothing is learned: a young server has no eight days.
        begun = np.logical_or.accumulate(np.isfinite(loads).any(axis=0))
        wanted = begun & (age >= 0) & (age < LONGEST_MEMORY * self.rhythm.buckets)
        for bucket, column in zip(buckets[wanted].tolist(), loads.T[wanted], strict=True):
            twin.advance(bucket)
            twin.add(bucket, rows, column)
        twin.advance(self.open)
        self._put(slots, twin)

    def view(self, slot: int, moment: datetime, over: timedelta) -> View:
        """Look at the load of a moment, or at the highest within `over` from there."""
        # The load of a bucket is that of its middle, half a bucket after its beginning.
        ahead = max(1.0, self.rhythm.position(moment.timestamp()) + 0.5 - self.open)
        return self.forecaster.view(slot, float(ahead), over / self.rhythm.bucket)

    def _is_new(self) -> bool:
        """Not to close all buckets since 1970."""
        return self.open == 0 and not self.counts.any()

    def _loads(self) -> Doubles:
        with np.errstate(invalid="ignore"):
            return self.sums / self.counts

    def _put(self, slots: Ints, source: "Cohort") -> None:
        self.quantiles[slots] = source.quantiles
        self.sums[slots] = source.sums
        self.counts[slots] = source.counts
        self.forecaster.put(slots, source.forecaster)


def _forecaster(method: Method, rhythm: Rhythm, quantiles: Doubles) -> Forecaster:
    return _FORECASTERS[method](rhythm, quantiles)
