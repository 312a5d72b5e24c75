"""Where the time goes: named operations, nested by task, with bounded memory.

    async with profiler.profile("plan", {"model": "small"}): ...

Figures are those of the last 1,000 of each operation, in process; the same times go to a Prometheus
histogram (for the analyzer) and to OpenTelemetry spans where that is installed.
"""

import math
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Literal

from prometheus_client import REGISTRY, CollectorRegistry, Histogram

from agentscaler import conventions
from agentscaler.clock import Clock, SystemClock
from agentscaler.runtime import metrics, telemetry
from agentscaler.runtime.identity import Identity

OPERATION_DURATION: Final = conventions.OPERATION_DURATION
OPERATION_LABEL: Final = conventions.OPERATION_LABEL
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

KEPT_SAMPLES: Final = 1000
MAX_OPERATIONS: Final = 200
OTHER: Final = (
    "other"  # all names beyond the limit: a name with an id in it must not eat the memory
)

# A tail this far above the mean is worth a look, and urgent if people can feel it.
TAIL_OVER_MEAN: Final = 2.0
HIGH_ABOVE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Operation:
    """One run of a named operation; `parent` is what it ran inside of, in the same task."""

    name: str
    metadata: Mapping[str, Any]
    parent: "Operation | None"

    @property
    def path(self) -> str:
        """The names from the outermost operation to this one."""
        return self.name if self.parent is None else f"{self.parent.path}/{self.name}"


@dataclass(frozen=True, slots=True)
class OperationStats:
    """The figures of one operation, in seconds; `count` is of all runs, the rest of the newest."""

    name: str
    count: int
    mean: float
    minimum: float
    maximum: float
    p50: float
    p90: float
    p95: float


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """An operation whose slow runs are far from its usual ones."""

    stats: OperationStats
    severity: Literal["high", "medium"]


@dataclass(slots=True)
class _Runs:
    newest: deque[float]
    count: int = 0


_current: ContextVar[Operation | None] = ContextVar("agentscaler_operation", default=None)


class Profiler:
    """Times operations; `identity` adds the Prometheus histogram, labelled for this instance."""

    def __init__(
        self,
        identity: Identity | None = None,
        *,
        registry: CollectorRegistry = REGISTRY,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._runs: dict[str, _Runs] = {}
        self._labels = metrics.label_values(identity) if identity else None
        self._exported = _histogram(registry) if identity else None

    @asynccontextmanager
    async def profile(
        self, name: str, metadata: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Operation]:
        """Time the block under `name`; blocks inside it, and tasks it starts, are its children."""
        name = self._admitted(name)
        operation = Operation(name, metadata or {}, _current.get())
        token = _current.set(operation)
        started = self._clock.monotonic()
        try:
            with telemetry.span(name, operation.metadata):
                yield operation
        finally:
            self._note(name, self._clock.monotonic() - started)
            _current.reset(token)

    def stats(self) -> list[OperationStats]:
        """Tell the figures of all operations, by name."""
        return [_stats(name, self._runs[name]) for name in sorted(self._runs)]

    def bottlenecks(self) -> list[Bottleneck]:
        """Find operations with p90 above twice their mean, the slowest first."""
        suspects = [each for each in self.stats() if each.p90 > TAIL_OVER_MEAN * each.mean]
        suspects.sort(key=lambda each: each.p90, reverse=True)
        return [
            Bottleneck(each, "high" if each.p90 > HIGH_ABOVE_SECONDS else "medium")
            for each in suspects
        ]

    def _admitted(self, name: str) -> str:
        return name if name in self._runs or len(self._runs) < MAX_OPERATIONS else OTHER

    def _note(self, name: str, seconds: float) -> None:
        runs = self._runs.setdefault(name, _Runs(deque(maxlen=KEPT_SAMPLES)))
        runs.newest.append(seconds)
        runs.count += 1
        if self._exported is not None and self._labels is not None:
            self._exported.labels(*self._labels, name).observe(seconds)


def percentile(ordered: Sequence[float], percent: int) -> float:
    """Give the smallest sample that `percent` of all do not exceed (nearest rank)."""
    rank = -(-percent * len(ordered) // 100)  # rounded up, in whole numbers
    return ordered[max(1, rank) - 1]


def _stats(name: str, runs: _Runs) -> OperationStats:
    ordered = sorted(runs.newest)
    return OperationStats(
        name=name,
        count=runs.count,
        mean=math.fsum(ordered) / len(ordered),
        minimum=ordered[0],
        maximum=ordered[-1],
        p50=percentile(ordered, 50),
        p90=percentile(ordered, 90),
        p95=percentile(ordered, 95),
    )


def _histogram(registry: CollectorRegistry) -> Histogram:
    text = "Time that named operations took."
    return metrics.histogram(registry, OPERATION_DURATION, text, BUCKETS, OPERATION_LABEL)
