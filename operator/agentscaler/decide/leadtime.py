"""How long replicas of a target need from being asked for to being ready: seen, not configured."""

from collections import deque
from dataclasses import dataclass, field
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
    _starts: deque[timedelta] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _asks: deque[_Ask] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def asked(self, replicas: int, now: datetime) -> None:
        """Note that the count was raised to `replicas`."""
        self._asks.append(_Ask(replicas, now))

    def seen(self, current: int, ready: int, now: datetime) -> None:
        """Note how many are ready; what is no longer asked for is measured no further."""
        while self._asks and ready >= self._asks[0].replicas:
            self._starts.append(now - self._asks.popleft().at)
        while self._asks and self._asks[-1].replicas > current:
            self._asks.pop()

    def value(self) -> timedelta | None:
        """Give the 95th percentile of the last starts, or None where nothing is known."""
        if not self._starts:
            return self.recorded
        ordered = sorted(self._starts)
        return ordered[ceil(_QUANTILE * len(ordered)) - 1]
