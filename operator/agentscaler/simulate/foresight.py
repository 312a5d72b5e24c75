"""The forecast of one policy: a bank of one row, fed a bucket at a time.

The operator feeds the bank at every pass, for thousands of rows at once. For a single row that is
slow, so samples are kept until their bucket is over: the bank then sees the same samples in the
same bucket, and says the same.
"""

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Final

from numpy.typing import ArrayLike

from agentscaler.api.policy import PolicySpec
from agentscaler.forecast import rows
from agentscaler.forecast.bank import Bank
from agentscaler.forecast.outlook import Outlook
from agentscaler.forecast.rhythm import Rhythm


class Foresight:
    """What a policy expects, from the loads it saw."""

    def __init__(self, spec: PolicySpec) -> None:
        self._spec: Final = spec
        self._bank: Final = Bank()
        self._row: Final = rows.open_row(self._bank, rows.shape_of(spec))
        self._rhythm: Final = Rhythm.of(spec.prediction.season, spec.polling_interval)
        self._bucket = -1
        self._samples: list[float] = []
        self._sampled: datetime | None = None

    def look(self, now: datetime, load: float | None, lead: timedelta | None) -> Outlook:
        """Take the load, None where unknown, and tell what to expect after the time of a start."""
        self._move_to(now)
        if load is not None:
            self._samples.append(load)
            self._sampled = now
        return self._bank.outlook(self._row, now, rows.lookahead(self._spec, lead))

    def recall(self, times: ArrayLike, loads: ArrayLike, now: datetime) -> None:
        """Begin from a history up to now, in place of what was seen."""
        self._samples.clear()
        self._move_to(now)
        self._bank.backfill([self._row], times, loads, now=now)

    def copy(self) -> "Foresight":
        """Give another that knows the same and learns on its own."""
        return deepcopy(self)

    def _move_to(self, now: datetime) -> None:
        bucket = self._rhythm.number(now)
        if bucket == self._bucket:
            return
        if self._sampled is not None and self._samples:
            self._bank.observe(self._sampled, [self._row] * len(self._samples), self._samples)
        self._samples.clear()
        self._bank.observe(now, [], [])
        self._bucket = bucket
