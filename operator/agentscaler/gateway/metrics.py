"""The series of a gateway: the agents' names from `conventions`, and its own about backends.

Everything is read when Prometheus asks. With `exports: queue` only the line is told under the
agent's names, for agents with the runtime kit tell the rest themselves and the operator adds up
what it finds; with `all` the gateway stands in for agents that tell nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from agentscaler import conventions
from agentscaler.gateway.backends import Backend, Pool
from agentscaler.gateway.routes import Route
from agentscaler.gateway.routing.adaptive import Adaptive

BACKEND_LABEL: Final = "backend"
_LABELS: Final = (conventions.NAMESPACE_LABEL, conventions.AGENT_LABEL, conventions.POD_LABEL)
_OWN: Final = "agentscaler_gateway"


class GatewayCollector(Collector):
    """All series of all routes; `pod` names this gateway, and `namespace` is where it stands.

    Each route's series are those of its agent, in the agent's namespace: there its policy finds
    them.
    """

    def __init__(
        self, routes: Sequence[Route], *, namespace: str, pod: str, exports: str = "queue"
    ) -> None:
        self._routes = routes
        self._namespace = namespace
        self._pod = pod
        self._exports = exports

    def collect(self) -> Iterator[Metric]:
        """Give every family."""
        yield self._gauge(
            conventions.QUEUE_DEPTH, "Requests waiting for a backend.", lambda each: each.line.depth
        )
        own = f"{_OWN}_{conventions.REQUESTS_ENDED.removeprefix('agent_')}"
        yield self._ended(own)
        yield self._counter(
            f"{_OWN}_retries_total", "Attempts repeated.", lambda each: each.tally.retried
        )
        if self._exports == "all":
            yield from self._in_place_of_agents()
        yield from self._backends()

    def _in_place_of_agents(self) -> Iterator[Metric]:
        yield self._counter(
            conventions.REQUESTS_RECEIVED,
            "Requests that arrived.",
            lambda each: each.tally.received,
        )
        yield self._ended(conventions.REQUESTS_ENDED)
        yield self._gauge(
            conventions.ACTIVE_REQUESTS,
            "Requests at backends.",
            lambda each: sum(backend.active for backend in each.pool.backends),
        )
        yield self._gauge(
            conventions.CAPACITY,
            "Requests that all backends take at once.",
            lambda each: sum(backend.capacity or 0 for backend in each.pool.backends),
        )
        waits = HistogramMetricFamily(
            conventions.REQUEST_WAIT, "Time in line before a backend took it.", labels=_LABELS
        )
        for route in self._routes:
            tally = route.tally
            waits.add_metric(
                self._values(route), list(tally.cumulated_waits()), tally.waited_seconds
            )
        yield waits

    def _backends(self) -> Iterator[Metric]:
        readings: tuple[tuple[str, str, Callable[[Pool, Backend], float]], ...] = (
            ("active_requests", "Requests there now.", lambda _, each: each.active),
            ("error_ratio", "Failed, of the last 100.", lambda _, each: each.error_ratio),
            ("healthy", "1 if it may get requests.", _healthy),
            ("score", "The adaptive score.", _score),
            (
                "mean_response_seconds",
                "Mean of the last 100.",
                lambda _, each: each.mean_seconds or 0.0,
            ),
        )
        labels = (*_LABELS, BACKEND_LABEL)
        for name, text, read in readings:
            family = GaugeMetricFamily(f"{_OWN}_backend_{name}", text, labels=labels)
            for route, backend in self._all_backends():
                family.add_metric((*self._values(route), backend.name), read(route.pool, backend))
            yield family
        total = CounterMetricFamily(
            f"{_OWN}_backend_requests_total", "Requests sent there.", labels=labels
        )
        for route, backend in self._all_backends():
            total.add_metric((*self._values(route), backend.name), backend.total)
        yield total

    def _all_backends(self) -> Iterator[tuple[Route, Backend]]:
        for route in self._routes:
            for backend in route.pool.backends:
                yield route, backend

    def _ended(self, name: str) -> CounterMetricFamily:
        family = CounterMetricFamily(
            name, "Requests that ended.", labels=(*_LABELS, conventions.OUTCOME_LABEL)
        )
        for route in self._routes:
            for outcome, count in route.tally.ended.items():
                family.add_metric((*self._values(route), outcome), count)
        return family

    def _gauge(self, name: str, text: str, read: Callable[[Route], float]) -> GaugeMetricFamily:
        family = GaugeMetricFamily(name, text, labels=_LABELS)
        for route in self._routes:
            family.add_metric(self._values(route), read(route))
        return family

    def _counter(self, name: str, text: str, read: Callable[[Route], float]) -> CounterMetricFamily:
        family = CounterMetricFamily(name, text, labels=_LABELS)
        for route in self._routes:
            family.add_metric(self._values(route), read(route))
        return family

    def _values(self, route: Route) -> tuple[str, str, str]:
        settings = route.settings
        return settings.namespace or self._namespace, settings.agent, self._pod


def _healthy(pool: Pool, backend: Backend) -> float:
    return float(backend.is_healthy(pool.clock.monotonic()))


def _score(pool: Pool, backend: Backend) -> float:
    return Adaptive().score(backend, pool.fleet)
