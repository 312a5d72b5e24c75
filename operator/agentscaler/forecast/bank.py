"""The forecasts of all policies: one row each, updated together.

Rows are handles that the bank gives out. Whoever feeds it needs to know neither buckets nor
seasons: samples come with their time, in any number and rhythm, and a row without a sample simply
has an unknown load. The bank reads no clock; time moves when it is told of it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from agentscaler.api.policy import Method
from agentscaler.forecast.cohort import Cohort
from agentscaler.forecast.columns import Ints
from agentscaler.forecast.outlook import Outlook
from agentscaler.forecast.rhythm import Rhythm

DAY: Final = timedelta(days=1)
POLL: Final = timedelta(seconds=15)
ZERO: Final = timedelta(0)
_NOWHERE: Final = -1


class Bank:
    """All rows, in cohorts of the same method and rhythm."""

    def __init__(self) -> None:
        self._cohorts: dict[int, Cohort] = {}
        self._free: dict[int, list[int]] = {}
        self._numbers = count()
        # Where each row lives: the number of its cohort, and its slot there.
        self._cohort_of = np.empty(0, np.int64)
        self._slot_of = np.empty(0, np.int64)

    def add(
        self,
        *,
        season: timedelta = DAY,
        polling: timedelta = POLL,
        quantile: float = 0.9,
        method: Method = Method.MIXTURE,
    ) -> int:
        """Open a row for a load that repeats every `season` and is sampled every `polling`."""
        number = self._cohort(method, Rhythm.of(season, polling))
        cohort, free = self._cohorts[number], self._free[number]
        if not free:
            self._widen(number, max(4, len(cohort) // 4))  # memory counts more than copies
        slot = free.pop()
        cohort.begin(slot, quantile)
        return self._handle(number, slot)

    def reserve(
        self,
        rows: int,
        *,
        season: timedelta = DAY,
        polling: timedelta = POLL,
        method: Method = Method.MIXTURE,
    ) -> None:
        """Make room for so many rows that are about to be opened, all at once.

        Row by row, ten thousand leave holes in the memory that are half as large as they are.
        """
        number = self._cohort(method, Rhythm.of(season, polling))
        more = rows - len(self._free[number])
        if more > 0:
            self._widen(number, more)

    def remove(self, row: int) -> None:
        """Close a row; its handle may be given out again.

        A cohort goes with its last row: empty ones would be moved on in time for ever.
        """
        number, slot = int(self._cohort_of[row]), int(self._slot_of[row])
        cohort, free = self._cohorts[number], self._free[number]
        self._cohort_of[row] = _NOWHERE
        free.append(slot)
        if len(free) == len(cohort):
            del self._cohorts[number], self._free[number]
        else:
            cohort.begin(slot, 0.5)

    def drop_left_behind(self, now: datetime) -> frozenset[int]:
        """Close the rows that time has jumped away from, forth or back, and name them.

        What was missed would be closed bucket by bucket: minutes, after a weekend of ten thousand
        rows. Going back, samples would be dropped until time has come as far again.
        """
        numbers = [key for key, cohort in self._cohorts.items() if cohort.is_left_behind(now)]
        for number in numbers:
            del self._cohorts[number], self._free[number]
        rows = np.flatnonzero(np.isin(self._cohort_of, numbers))
        self._cohort_of[rows] = _NOWHERE
        return frozenset(rows.tolist())

    def observe(self, now: datetime, rows: Sequence[int] | Ints, loads: ArrayLike) -> None:
        """Take the loads of rows, in slots, as seen at `now`, and close the buckets before.

        What is not a finite number of zero or more is unknown. All rows move on in time, also
        those without a load, so `observe(now, [], [])` just lets time pass.
        """
        places = np.asarray(rows, np.int64)
        samples = np.asarray(loads, np.float64)
        homes = self._cohort_of[places]
        for number, cohort in self._cohorts.items():
            bucket = cohort.rhythm.number(now)
            cohort.advance(bucket)
            mine = homes == number
            cohort.add(bucket, self._slot_of[places[mine]], samples[mine])

    def backfill(
        self, rows: Sequence[int] | Ints, times: ArrayLike, loads: ArrayLike, *, now: datetime
    ) -> None:
        """Let rows begin from a history, as if it had been observed live up to `now`.

        `times` are seconds since the epoch, ascending; `loads` has one line of that length for
        each row, NaN where unknown. What the rows saw before is replaced. Hundreds of rows in one
        call cost little more than one.
        """
        places = np.asarray(rows, np.int64)
        moments = np.asarray(times, np.float64)
        samples = np.asarray(loads, np.float64).reshape(len(places), len(moments))
        homes = self._cohort_of[places]
        for number, cohort in self._cohorts.items():
            mine = homes == number
            cohort.advance(cohort.rhythm.number(now))
            cohort.backfill(self._slot_of[places[mine]], moments, samples[mine])

    def outlook(
        self, row: int, now: datetime, lookahead: timedelta, over: timedelta = ZERO
    ) -> Outlook:
        """Tell the load at `now + lookahead`, or the highest within `over` from there."""
        cohort = self._cohorts[int(self._cohort_of[row])]
        view = cohort.view(int(self._slot_of[row]), now + lookahead, over)
        return Outlook(
            method=cohort.method.value,
            lookahead=lookahead,
            expected=view.expected,
            upper=view.upper,
            trusted=view.trusted,
            message=view.message,
        )

    def _cohort(self, method: Method, rhythm: Rhythm) -> int:
        for number, cohort in self._cohorts.items():
            if (cohort.method, cohort.rhythm) == (method, rhythm):
                return number
        number = next(self._numbers)
        self._cohorts[number], self._free[number] = Cohort(method, rhythm, np.empty(0)), []
        return number

    def _widen(self, number: int, more: int) -> None:
        cohort = self._cohorts[number]
        self._free[number].extend(reversed(range(len(cohort), len(cohort) + more)))
        cohort.widen(more)

    def _handle(self, number: int, slot: int) -> int:
        unused = np.flatnonzero(self._cohort_of == _NOWHERE)
        if not len(unused):
            more = np.full(max(4, len(self._cohort_of)), _NOWHERE)
            unused = np.array([len(self._cohort_of)])
            self._cohort_of = np.append(self._cohort_of, more)
            self._slot_of = np.append(self._slot_of, more)
        row = int(unused[0])
        self._cohort_of[row], self._slot_of[row] = number, slot
        return row
