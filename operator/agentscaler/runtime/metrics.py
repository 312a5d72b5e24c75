"""The series that every instance exports; their names are the operator's, from `conventions`.

Requests are counted in plain numbers and turned into series when Prometheus asks: measured, the
client library's own counters and histograms cost 3 us a request, these 0.3. Series that are touched
seldom (providers, operations) use the library's own.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar, cast
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from agentscaler import conventions
from agentscaler.runtime.identity import Identity
from agentscaler.runtime.limits import ConcurrencyLimit

INSTANCE_LABELS: Final = (
    conventions.NAMESPACE_LABEL,
    conventions.AGENT_LABEL,
    conventions.POD_LABEL,
)

# How a request can end beside `ok` and `error`: it never began, or its client went away.
OUTCOME_REJECTED: Final = "rejected"
OUTCOME_CANCELLED: Final = "cancelled"
OUTCOMES: Final = (
    conventions.OUTCOME_OK,
    conventions.OUTCOME_ERROR,
    OUTCOME_REJECTED,
    OUTCOME_CANCELLED,
)

# Agents take seconds to minutes; 5 s is the usual wait target and must be a bound of its own.
DURATION_BUCKETS: Final = (
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    20.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
)
WAIT_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Distribution:
    """A histogram in plain numbers."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulated(self) -> Iterator[tuple[str, float]]:
        """Give the counts as Prometheus has them: each bucket includes all smaller ones."""
        reached = 0
        for bound, count in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            reached += count
            yield str(bound), reached


class RequestTally:
    """What one instance has counted since it started; `wait` is of those that had to."""

    __slots__ = ("duration", "ended", "received", "unwaited", "wait")

    def __init__(self) -> None:
        self.received = 0
        self.unwaited = 0
        self.ended = dict.fromkeys(OUTCOMES, 0)
        self.duration = Distribution(DURATION_BUCKETS)
        self.wait = Distribution(WAIT_BUCKETS)

    def waits(self) -> Distribution:
        """Give the time in line of all, also of those that began at once."""
        wait = Distribution(WAIT_BUCKETS)
        wait.counts = [self.wait.counts[0] + self.unwaited, *self.wait.counts[1:]]
        wait.total = self.wait.total
        return wait


class RequestCollector(Collector):
    """The series of all instances in this process; usually there is one."""

    def __init__(self) -> None:
        self.instances: dict[Identity, tuple[RequestTally, ConcurrencyLimit]] = {}

    def collect(self) -> Iterator[Metric]:
        """Give every family, with one set of series per instance."""
        yield from self._loads()
        received = CounterMetricFamily(
            conventions.REQUESTS_RECEIVED, "Requests that arrived.", labels=INSTANCE_LABELS
        )
        ended = CounterMetricFamily(
            conventions.REQUESTS_ENDED,
            "Requests that ended.",
            labels=(*INSTANCE_LABELS, conventions.OUTCOME_LABEL),
        )
        duration = HistogramMetricFamily(
            conventions.REQUEST_DURATION, "Time the work took.", labels=INSTANCE_LABELS
        )
        wait = HistogramMetricFamily(
            conventions.REQUEST_WAIT, "Time in line before the work began.", labels=INSTANCE_LABELS
        )
        for identity, (tally, _) in self.instances.items():
            labels = label_values(identity)
            received.add_metric(labels, tally.received)
            for outcome, count in tally.ended.items():
                ended.add_metric((*labels, outcome), count)
            for family, seen in ((duration, tally.duration), (wait, tally.waits())):
                family.add_metric(labels, list(seen.cumulated()), seen.total)
        yield from (received, ended, duration, wait)

    def _loads(self) -> Iterator[Metric]:
        gauges: tuple[tuple[str, str, Callable[[ConcurrencyLimit], int]], ...] = (
            (conventions.ACTIVE_REQUESTS, "Requests being worked on.", lambda at: at.active),
            (conventions.QUEUE_DEPTH, "Requests waiting for a slot.", lambda at: at.queued),
            (conventions.CAPACITY, "Requests worked on at once.", lambda at: at.max_concurrent),
        )
        for name, text, read in gauges:
            family = GaugeMetricFamily(name, text, labels=INSTANCE_LABELS)
            for identity, (_, limit) in self.instances.items():
                family.add_metric(label_values(identity), read(limit))
            yield family


def label_values(identity: Identity) -> tuple[str, str, str]:
    """Name the instance, in the order of `INSTANCE_LABELS`."""
    return (identity.namespace, identity.agent, identity.pod)


def export_requests(
    registry: CollectorRegistry, identity: Identity, limit: ConcurrencyLimit
) -> RequestTally:
    """Export what the returned tally and `limit` count; the newest of one identity is exported."""

    def make() -> RequestCollector:
        collector = RequestCollector()
        registry.register(collector)
        return collector

    tally = RequestTally()
    declared(registry, conventions.REQUESTS_ENDED, make).instances[identity] = (tally, limit)
    return tally


Family = TypeVar("Family", Counter, Gauge, Histogram, RequestCollector)

# Registries outlive services (an app factory in tests makes many), and refuse a name twice.
_families: WeakKeyDictionary[CollectorRegistry, dict[str, Any]] = WeakKeyDictionary()


def declared(registry: CollectorRegistry, name: str, make: Callable[[], Family]) -> Family:
    """Give the family called `name` in `registry`; `make` it the first time."""
    known = _families.setdefault(registry, {})
    if name not in known:
        known[name] = make()
    return cast(Family, known[name])


def counter(registry: CollectorRegistry, name: str, text: str, *labels: str) -> Counter:
    """Declare a counter with the instance's labels and `labels`."""
    names = (*INSTANCE_LABELS, *labels)
    return declared(registry, name, lambda: Counter(name, text, names, registry=registry))


def gauge(registry: CollectorRegistry, name: str, text: str, *labels: str) -> Gauge:
    """Declare a gauge with the instance's labels and `labels`."""
    names = (*INSTANCE_LABELS, *labels)
    return declared(registry, name, lambda: Gauge(name, text, names, registry=registry))


def histogram(
    registry: CollectorRegistry, name: str, text: str, buckets: tuple[float, ...], *labels: str
) -> Histogram:
    """Declare a histogram with the instance's labels and `labels`."""
    names = (*INSTANCE_LABELS, *labels)
    return declared(
        registry, name, lambda: Histogram(name, text, names, registry=registry, buckets=buckets)
    )
