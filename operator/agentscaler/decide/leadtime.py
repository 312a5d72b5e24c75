"""How long replicas of a target need from being asked for to being ready: seen, not configured."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

_KEPT = 20
_QUANTILE = 0.95


class _Ask(NamedTuple):
    """A count that was asked for, and when."""

    replicas: int
    at: datetime


@dataclass(slots=True)
class LeadTime:
    """The last starts of one target, and those under way, each measured from its own asking.

    `recorded` is what an earlier process had learned; it counts until there are starts of our own.
    """

    recorded: timedelta | None = None
    # Tuples: most policies know of no start, and ten thousand empty deques take 15 MB.
    _starts: tuple[timedelta, ...] = ()
    _asks: tuple[_Ask, ...] = ()

    def asked(self, replicas: int, now: datetime) -> None:
        """Note that the count was raised to `replicas`."""
        self._asks = (*self._asks, _Ask(replicas, now))[-_KEPT:]

    def seen(self, current: int, ready: int, now: datetime) -> None:
        """Note how many are ready; what is no longer asked for is measured no further."""
        while self._asks and ready >= self._asks[0].replicas:
            self._starts = (*self._starts, now - self._asks[0].at)[-_KEPT:]
            self._asks = self._asks[1:]
        while self._asks and self._asks[-1].replicas > current:
            self._asks = self._asks[:-1]

    def value(self) -> timedelta | None:
        """Give the 95th percentile of the last starts, or None where nothing is known."""
        if not self._starts:
            return self.recorded
        ordered = sorted(self._starts)
        return ordered[ceil(_QUANTILE * len(ordered)) - 1]
