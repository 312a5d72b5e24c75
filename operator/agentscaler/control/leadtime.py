"""How long replicas of a target need from being asked for to being ready: seen, not configured."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

_KEPT = 20
_QUANTILE = 0.95


@dataclass(slots=True)
class LeadTime:
    """The last starts of one target, and the one under way.

    `recorded` is what an earlier process had learned; it counts until there are starts of our own.
    """

    recorded: timedelta | None = None
    _starts: deque[timedelta] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _asked: datetime | None = None
    _goal: int = 0

    def asked(self, replicas: int, now: datetime) -> None:
        """Note that `replicas` were asked for; a start under way is measured from its beginning."""
        if self._asked is None:
            self._asked = now
        self._goal = replicas

    def seen(self, current: int, ready: int, now: datetime) -> None:
        """Note how many are ready; fewer asked for than before ends the measurement."""
        if self._asked is None:
            return
        if ready >= self._goal:
            self._starts.append(now - self._asked)
        if ready >= self._goal or current < self._goal:
            self._asked = None

    def value(self) -> timedelta | None:
        """Give the 95th percentile of the last starts, or None where nothing is known."""
        if not self._starts:
            return self.recorded
        ordered = sorted(self._starts)
        return ordered[ceil(_QUANTILE * len(ordered)) - 1]
