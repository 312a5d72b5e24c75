"""One played agent: a plant, its load, and what it shows of itself."""

import math
from collections.abc import Iterator
from typing import Any

from agentscaler import conventions
from agentscaler.simulate.plant import UNLIMITED, Plant
from agentscaler.simulate.provider import Provider
from agentscaler.simulate.workload import STEPS, Request, chance
from tests.bed.fleet.config import AgentConfig, Change, Shown
from tests.bed.fleet.page import Page, labels_of
from tests.bed.fleet.pods import State

PROVIDER = "simulated"
OUTCOME_RATE_LIMITED = "rate_limited"
CALLS_PER_REQUEST = STEPS.mean


class Agent:
    """Serves its load with the pods it is told of; `now` is seconds since the fleet's epoch."""

    def __init__(self, config: AgentConfig, now: float) -> None:
        self.config = config
        provider = Provider(config.provider_calls) if config.provider_calls else UNLIMITED
        self.provider = provider
        self.plant = Plant(
            config.slots, wait_target=config.wait_target, provider=provider, start=now
        )
        self._mark = self.plant.tally.copy()
        self.shown: Shown = "live"
        self._arrivals: Iterator[Request] = config.load.arrivals(now)
        self._next = next(self._arrivals, None)
        self._fate = chance(config.namespace, config.name)
        self._error_ratio = 0.0
        self._rate_limited_ratio = 0.0
        self._answered = 0.0  # calls to the provider that it answered, or refused
        self._refused = 0.0
        self._deleted: set[str] = set()
        self._detached: set[str] = set()
        self._pins: dict[str, float | str] = {}
        self._labels = labels_of(
            {
                conventions.NAMESPACE_LABEL: config.namespace,
                conventions.AGENT_LABEL: config.name,
            }
        )

    def advance(self, now: float) -> None:
        """Let time pass: requests arrive and end."""
        ended = self._ended
        while self._next is not None and self._next.at <= now:
            self.plant.arrive(self._fated(self._next))
            self._next = next(self._arrivals, None)
        self.plant.advance(now)
        self._count_calls(self._ended - ended)

    def note(self, pod: str, state: State | None) -> None:
        """Learn what became of a pod; None: it is gone. Time has been moved on before."""
        if state is not State.DETACHED:
            self._detached.discard(pod)
        if state is None:
            self._deleted.discard(pod)
            if pod in self.plant.pods:
                self.plant.pod_gone(pod)
            return
        if pod not in self.plant.pods:
            self.plant.pod_created(pod)
        if state is State.READY:
            self.plant.pod_ready(pod)
        else:
            self.plant.pod_closed(pod)
        if state is State.DETACHED:
            self._detached.add(pod)
        if state is State.DRAINING:
            self._deleted.add(pod)

    def drained(self) -> list[str]:
        """Name the deleted pods that have nothing left to do."""
        return [pod for pod in self._deleted if not self.plant.pods[pod].in_service]

    def change(self, change: Change, now: float) -> None:
        """Turn what the change names."""
        self.advance(now)
        if change.load is not None:
            self._arrivals = change.load.arrivals(now)
            self._next = next(self._arrivals, None)
        if change.error_ratio is not None:
            self._error_ratio = change.error_ratio
        if change.rate_limited_ratio is not None:
            self._rate_limited_ratio = change.rate_limited_ratio
        self.shown = change.shown or self.shown
        for metric, value in change.pins.items():
            if value is None:
                self._pins.pop(metric, None)
            else:
                self._pins[metric] = value

    def mark(self) -> None:
        """Let the figures begin here."""
        self._mark = self.plant.tally.copy()

    def write(self, page: Page, at: float | None = None, extra: str = "") -> None:
        """Write the page's series of this agent.

        The gateway's are there always; the runtime's only while there is a pod to export them.
        """
        tally, labels = self.plant.tally, self._labels + extra
        self._gauge(page, conventions.QUEUE_DEPTH, labels, len(self.plant.waiting), at)
        page.add(conventions.REQUESTS_RECEIVED, labels, tally.arrivals, at=at)
        self._write_histogram(page, conventions.REQUEST_WAIT, labels, at)
        pods = self.plant.pods.values()
        ready = [pod for pod in pods if pod.open or pod.name in self._detached]
        for pod in ready:
            of_pod = f'{labels},{conventions.POD_LABEL}="{pod.name}"'
            self._gauge(page, conventions.ACTIVE_REQUESTS, of_pod, len(pod.in_service), at)
            self._gauge(page, conventions.CAPACITY, of_pod, self.config.slots, at)
        if ready:
            self._write_runtime(page, labels, at)

    def figures(self) -> dict[str, Any]:
        """Give the state, and the sums since the mark."""
        plant, tally = self.plant, self.plant.tally.since(self._mark)
        return {
            "namespace": self.config.namespace,
            "agent": self.config.name,
            "now": plant.now,
            "waiting": len(plant.waiting),
            "in_service": plant.in_service,
            "pods": len(plant.pods),
            "ready": sum(pod.open for pod in plant.pods.values()),
            "arrivals": tally.arrivals,
            "begun": tally.begun,
            "late": tally.late,
            "succeeded": tally.succeeded,
            "failed": tally.failed,
            "cut": tally.cut,
            "attainment": tally.attainment(plant.overdue),
            "mean_wait": tally.mean_wait,
            "p99_wait": tally.wait_quantile(0.99),
            "replica_hours": tally.replica_hours,
            "busy_seconds": tally.busy_seconds,
        }

    @property
    def _ended(self) -> int:
        return self.plant.tally.succeeded + self.plant.tally.failed

    def _fated(self, request: Request) -> Request:
        if self._error_ratio and self._fate.random() < self._error_ratio:
            return request._replace(fails=True)
        return request

    def _count_calls(self, ended: int) -> None:
        answered = ended * CALLS_PER_REQUEST
        self._answered += answered
        # Of all calls, refused and tried again included, this ratio was refused.
        self._refused += answered * self._rate_limited_ratio / (1 - self._rate_limited_ratio)

    def _gauge(self, page: Page, name: str, labels: str, value: float, at: float | None) -> None:
        shown = self._pins.get(name, value)
        if not isinstance(shown, str):
            page.add(name, labels, shown, at=at)

    def _write_runtime(self, page: Page, labels: str, at: float | None) -> None:
        tally = self.plant.tally
        outcomes = (
            (conventions.OUTCOME_OK, tally.succeeded),
            (conventions.OUTCOME_ERROR, tally.failed + tally.cut),
        )
        for outcome, count in outcomes:
            page.add(conventions.REQUESTS_ENDED, _ended_as(labels, outcome), count, at=at)
        calls = self.provider.calls(self.plant.in_service)
        self._gauge(page, conventions.PENDING_LLM_CALLS, labels, calls, at)
        of_provider = f'{labels},provider="{PROVIDER}"'
        for outcome, amount in (
            (conventions.OUTCOME_OK, self._answered),
            (OUTCOME_RATE_LIMITED, self._refused),
        ):
            count = math.floor(amount)
            page.add(conventions.LLM_RESPONSES, _ended_as(of_provider, outcome), count, at=at)
        self._write_histogram(page, conventions.REQUEST_DURATION, labels, at)

    def _write_histogram(self, page: Page, name: str, labels: str, at: float | None) -> None:
        tally = self.plant.tally
        of_waits = name == conventions.REQUEST_WAIT
        histogram = tally.wait_histogram if of_waits else tally.duration_histogram
        page.add_histogram(name, labels, histogram.cumulative(), histogram.total, at=at)


def _ended_as(labels: str, outcome: str) -> str:
    return f'{labels},{conventions.OUTCOME_LABEL}="{outcome}"'
