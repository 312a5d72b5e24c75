"""The operator's own metrics, in a registry of their own; `docs/metrics.md` explains each.

Whoever does the work counts it and control passes the counts on; nothing here measures time.
"""

from collections import Counter as Tally
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from agentscaler.api.status import Reason, ScalingEvent
from agentscaler.decide.decision import Direction
from agentscaler.report import figures, history
from agentscaler.report.outlines import Outline

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PASS_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)


class Telemetry:
    """All metrics of one operator process."""

    def __init__(self, version: str) -> None:
        # One more series for every counter, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._policies: dict[figures.Key, figures.Figures] = {}
        self._requests: Tally[tuple[str, str]] = Tally()
        self._waited = 0.0
        self.policies = self._gauge(
            "agentscaler_policies", "Policies, by what they are doing.", "state"
        )
        self.leader = self._gauge(
            "agentscaler_leader", "1 while this replica acts on a shard, else 0.", "shard"
        )
        self.loop_lag = self._gauge(
            "agentscaler_loop_lag_seconds", "How late the newest pass began after it was due."
        )
        self.pass_duration = Histogram(
            "agentscaler_pass_duration_seconds",
            "Time until all policies of one pass were decided on.",
            buckets=_PASS_BUCKETS,
            registry=self.registry,
        )
        self.queries = self._counter(
            "agentscaler_prometheus_queries_total", "Queries sent to Prometheus.", "outcome"
        )
        self.api_requests = self._counter(
            "agentscaler_api_requests_total", "Requests sent to the API server.", "verb", "resource"
        )
        self.api_waited = self._counter(
            "agentscaler_api_throttled_seconds_total",
            "Time that requests to the API server waited for the operator's own rate limit.",
        )
        self.decisions = self._counter(
            "agentscaler_decisions_total", "Decisions taken, of all policies."
        )
        self.status_patches = self._counter(
            "agentscaler_status_patches_total", "Patches of a policy's status.", "outcome"
        )
        self.scalings = self._counter(
            "agentscaler_scalings_total",
            "Scalings that were carried out.",
            "direction",
            "reason",
        )
        # From the start, or the alert's `increase` would not see the first one.
        self.scalings.labels(direction=Direction.DOWN.value, reason=Reason.DRAIN_FORCED)
        self.events_sent = self._counter(
            "agentscaler_events_sent_total", "Kubernetes Events sent.", "outcome"
        )
        self.events_dropped = self._counter(
            "agentscaler_events_dropped_total", "Kubernetes Events not sent.", "cause"
        )
        self.events_waiting = self._gauge(
            "agentscaler_events_waiting", "Kubernetes Events that wait to be sent."
        )
        info = self._gauge(
            "agentscaler_build_info", "Version of the operator; always 1.", "version"
        )
        info.labels(version=version).set(1)

    def note(
        self, namespace: str, name: str, outline: Outline, *, error: float | None = None
    ) -> None:
        """Export what a policy's newest outline says; `error` is its forecast's, as a ratio."""
        self._policies[namespace, name] = figures.of(outline, error)

    def forget(self, namespace: str, name: str) -> None:
        """Export nothing more of a policy that is gone."""
        self._policies.pop((namespace, name), None)

    def count_api_requests(
        self, totals: Mapping[tuple[str, str], int], waited_seconds: float = 0.0
    ) -> None:
        """Count the requests since the last call, and how long all together waited for their turn.

        Both are given as totals since the start.
        """
        self.api_waited.inc(waited_seconds - self._waited)
        self._waited = waited_seconds
        for (verb, resource), total in totals.items():
            new = total - self._requests[verb, resource]
            self.api_requests.labels(verb=verb, resource=resource).inc(new)
            self._requests[verb, resource] = total

    def count_scaling(self, scaling: ScalingEvent) -> None:
        """Count a scaling that was carried out."""
        direction = history.direction_of(scaling)
        self.scalings.labels(direction=direction.value, reason=scaling.reason).inc()

    def page(self, names: Collection[str] = ()) -> Iterator[bytes]:
        """Write these metrics, or all, as Prometheus reads them, part by part."""
        self.policies.clear()
        states = Tally(record.state for record in self._policies.values())
        for state, count in states.items():
            self.policies.labels(state=state).set(count)
        own = self.registry.restricted_registry(names) if names else self.registry
        yield generate_latest(own)
        yield from figures.pages(self._policies, names)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(name, about, labels, registry=self.registry)
