"""Other autoscalers, written anew from their public descriptions, for comparison only.

Each takes a share: the part of a replica's slots that should be in use. What runs ends there for
utilization; requests that wait count for the others, so their share may exceed 1.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Final

from agentscaler.simulate.pilot import Pilot
from agentscaler.simulate.scalers import Horizontal, Piloted, Scaler, Sight, on_utilization, on_work

_STABLE: Final = 60.0
_PANIC_AT: Final = 2.0
_RAY_UP: Final = 30.0
_RAY_DOWN: Final = 600.0
_RAY_LOOKS_BACK: Final = 30.0

Make = Callable[[float, int, int], Scaler]
"""Makes a scaler from a share, the slots of a replica and the most replicas."""


_ongoing: Final = on_work(1.0)
"""Tells the requests in service and waiting, None if unknown."""


def _mean_since(
    samples: deque[tuple[float, float]], since: float, newest: tuple[float, float]
) -> float:
    """Add a sample, forget those not after `since`, and give the mean of the rest."""
    samples.append(newest)
    while samples[0][0] <= since:
        samples.popleft()
    return sum(value for _, value in samples) / len(samples)


@dataclass(slots=True)
class Knative:
    """Mean concurrency of a minute; at twice what serves, the newest sample, and no shrinking."""

    per_replica: float
    most: int
    _samples: deque[tuple[float, float]] = field(default_factory=deque)
    _panic_since: float | None = None
    _panic_most: int = 0

    def decide(self, seen: Sight) -> int:
        """Follow the concurrency."""
        load = _ongoing(seen)
        if load is None:
            return seen.current
        mean = _mean_since(self._samples, seen.now - _STABLE, (seen.now, load))
        stable, newest = self._replicas(mean), self._replicas(load)
        if newest >= _PANIC_AT * max(seen.ready, 1):
            self._panic_since = seen.now
        if self._panic_since is not None and seen.now - self._panic_since < _STABLE:
            self._panic_most = max(self._panic_most, newest, stable, seen.current)
            wanted = self._panic_most
        else:
            self._panic_most = 0
            wanted = max(stable, seen.ready // 2)
        return min(max(wanted, 1), self.most)

    def _replicas(self, load: float) -> int:
        return ceil(round(load / self.per_replica, 6))


@dataclass(slots=True)
class RayServe:
    """Mean ongoing requests of 30 s; a change must be wanted for 30 s up, for 10 minutes down."""

    per_replica: float
    most: int
    _samples: deque[tuple[float, float]] = field(default_factory=deque)
    _wanted_since: float | None = None
    _way: int = 0

    def decide(self, seen: Sight) -> int:
        """Change only what was wanted without a break."""
        load = _ongoing(seen)
        if load is None:
            return seen.current
        mean = _mean_since(self._samples, seen.now - _RAY_LOOKS_BACK, (seen.now, load))
        wanted = min(max(ceil(round(mean / self.per_replica, 6)), 1), self.most)
        way = (wanted > seen.current) - (wanted < seen.current)
        if way != self._way or self._wanted_since is None:
            self._way, self._wanted_since = way, seen.now
        patience = _RAY_UP if way > 0 else _RAY_DOWN
        if way == 0 or seen.now - self._wanted_since < patience:
            return seen.current
        self._wanted_since = None
        return wanted


@dataclass(frozen=True, slots=True)
class WaitAsLatency:
    """Shows the wait in place of the latency, which of a slow model says nothing."""

    inner: Scaler

    def decide(self, seen: Sight) -> int:
        """Decide with the wait for the latency."""
        wait = {"latencySeconds": seen.readings.get("waitSeconds")}
        return self.inner.decide(replace(seen, readings={**seen.readings, **wait}))


def _hpa(share: float, _slots: int, most: int) -> Scaler:
    return Horizontal(on_utilization(share), 1, most)


def _keda(share: float, slots: int, most: int) -> Scaler:
    return Horizontal(on_work(share * slots), 1, most)


def _knative(share: float, slots: int, most: int) -> Scaler:
    return Knative(share * slots, most)


def _ray(share: float, slots: int, most: int) -> Scaler:
    return RayServe(share * slots, most)


def thresholds(most: int) -> Scaler:
    """Give the product's own threshold strategy, with its defaults, as it is written."""
    spec = {"scaleTargetRef": {"name": "agent"}, "maxReplicas": most, "threshold": {}}
    return Piloted(Pilot(spec))


PEERS: Final[Mapping[str, Make]] = {
    "KEDA on queue + active": _keda,
    "Knative KPA": _knative,
    "Ray Serve": _ray,
    "HPA on utilization": _hpa,
}
