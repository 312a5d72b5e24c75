"""Who may decide in a replay: the policy, what was run, a fixed fleet, and what others would do.

The autoscalers of others are written after their public descriptions, for comparison only: one
metric, a tolerance of a tenth, at most twice the replicas (or four more) every 15 seconds, and
down only to the highest wish of five minutes.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final, Protocol

from agentscaler.simulate.pilot import Pilot

_TOLERANCE: Final = 0.1
_DOWN_WINDOW: Final = 300.0
_FEW: Final = 4


@dataclass(frozen=True, slots=True)
class Sight:
    """What a scaler may look at; the readings go by the names of the pilot."""

    now: float
    readings: Mapping[str, float | None]
    current: int
    ready: int
    starting: int
    rolling_out: bool = False


class Scaler(Protocol):
    """Decides how many replicas there should be."""

    def decide(self, seen: Sight) -> int:
        """Give the count to ask for."""
        ...


@dataclass(slots=True)
class Piloted:
    """The production decision."""

    pilot: Pilot

    def decide(self, seen: Sight) -> int:
        """Decide as the operator would."""
        decision = self.pilot.decide(
            seen.now,
            seen.readings,
            current=seen.current,
            ready=seen.ready,
            starting=seen.starting,
            rolling_out=seen.rolling_out,
        )
        return decision.replicas


@dataclass(frozen=True, slots=True)
class Fixed:
    """A fleet that nobody scales."""

    replicas: int

    def decide(self, _seen: Sight) -> int:
        """Give the same count as always."""
        return self.replicas


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was really run: counts, each with the moment from which it held."""

    changes: Sequence[tuple[float, int]]

    def decide(self, seen: Sight) -> int:
        """Give the count of that time."""
        place = bisect_right(self.changes, seen.now, key=lambda change: change[0]) - 1
        return self.changes[max(0, place)][1]


@dataclass(slots=True)
class Horizontal:
    """A HorizontalPodAutoscaler; `wish` tells the replicas for the readings, None if unknown."""

    wish: Callable[[Sight], float | None]
    least: int
    most: int
    _wishes: deque[tuple[float, int]] = field(default_factory=deque)

    def decide(self, seen: Sight) -> int:
        """Follow the metric within the tolerance, the pace and the bounds."""
        exact, current = self.wish(seen), seen.current
        if exact is None:
            return current
        steady = abs(exact / max(current, 1) - 1) <= _TOLERANCE
        wanted = current if steady else min(ceil(round(exact, 6)), max(2 * current, current + _FEW))
        self._wishes.append((seen.now, wanted))
        while self._wishes[0][0] <= seen.now - _DOWN_WINDOW:
            self._wishes.popleft()
        if wanted < current:
            wanted = min(current, max(wish for _, wish in self._wishes))
        return min(max(wanted, self.least, 1), self.most)


def on_utilization(target: float) -> Callable[[Sight], float | None]:
    """Wish for replicas whose slots are busy at the target share: the usual HPA."""

    def wish(seen: Sight) -> float | None:
        active, capacity = seen.readings.get("activeRequests"), seen.readings.get("capacity")
        if active is None or not capacity:
            return None
        return seen.ready * active / capacity / target

    return wish


def on_work(per_replica: float) -> Callable[[Sight], float | None]:
    """Wish for a replica per so many requests in service and waiting: the usual KEDA trigger."""

    def wish(seen: Sight) -> float | None:
        active, queued = seen.readings.get("activeRequests"), seen.readings.get("queueDepth")
        return None if active is None or queued is None else (active + queued) / per_replica

    return wish
