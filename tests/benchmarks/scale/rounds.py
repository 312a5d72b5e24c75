"""One size after the other: the cluster without the operator, its start, its work, its restart."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from sys import executable
from typing import Final

import requests
from rich.progress import Progress

from tests.bed import Bed
from tests.bed.companion import Companion
from tests.bed.processes import answers, wait_until
from tests.benchmarks.scale import meters, objects
from tests.benchmarks.scale.meters import MIB, Marks, Pulse
from tests.e2e.operators import RELEASE, Operator
from tests.e2e.worlds import SYSTEM_NAMESPACE

CYCLE_SECONDS: Final = 15.0
_ROOT: Final = Path(__file__).parents[3]
_CHART: Final = _ROOT / "helm" / "agentscaler"
_LONGEST_START: Final = 180.0
_LONGEST_SETTLING: Final = 240.0
_OTHERS: Final = ("kube-apiserver", "etcd", "prometheus")


@dataclass(frozen=True, slots=True)
class Result:
    """What one size took; CPU in cores, per program beyond what it takes without the operator.

    `cold` and `restart` are the seconds until every policy was decided on: with nothing recorded,
    and with all; `recorded` until everything was on record, too, None if that took too long.
    `baseline` is in cores as well.
    """

    policies: int
    cold_seconds: float
    recorded_seconds: float | None
    restart_seconds: float
    cpu_cores: dict[str, float]
    baseline_cores: dict[str, float]
    rss_mib: float
    start_rss_mib: float
    lag_p50_ms: float
    lag_p99_ms: float
    start_lag_p99_ms: float
    pass_seconds: float
    queries_per_cycle: float
    throttled_seconds: float
    start_throttled_seconds: float
    requests_per_cycle: dict[str, float]
    scalings_per_cycle: float
    decisions_per_cycle: float


@dataclass(frozen=True, slots=True)
class Spans:
    """How long is measured, in seconds: without the operator, and with it."""

    baseline: float = 20.0
    window: float = 45.0


class Stage:
    """A bed with the chart's rights and an exporter, on which the sizes are played."""

    def __init__(self, bed: Bed, agents: Companion, progress: Progress, spans: Spans) -> None:
        self._bed = bed
        self._agents = agents
        self._progress = progress
        self._spans = spans
        self._count = 0

    def play(self, count: int) -> Result:
        """Grow to so many policies, and measure."""
        self._grow(count)
        with self._step(f"{count}: without the operator", self._spans.baseline):
            idle = self._measure(self._spans.baseline)
        operator = Operator(self._bed, f"operator-{count}", "--log-level=warning")
        try:
            return self._measured(count, idle, operator)
        finally:
            operator.close()

    def _measured(self, count: int, idle: Marks, operator: Operator) -> Result:
        begun = self._start(f"{count}: first start", operator, count, settles=True)
        self._settle(operator, count)
        with self._step(f"{count}: at work", self._spans.window):
            pulse = Pulse(f"http://{operator.address}/livez", operator.pid)
            with pulse:
                busy = self._measure(self._spans.window, operator)
        operator.terminate()
        again = self._start(f"{count}: restart", operator, count, settles=False)
        return _result(count, idle, busy, pulse, begun, again)

    def _grow(self, count: int) -> None:
        more = count - self._count
        with self._step(f"{count}: creating", more) as advance:
            requests.put(f"http://{self._agents.address}/count", str(count), timeout=10)
            asyncio.run(objects.forget(self._bed, self._count))
            asyncio.run(objects.grow(self._bed, self._count, count, advance))
            self._count = count
            wait_until(
                lambda: asyncio.run(objects.settled(self._bed, count)),
                within=120,
                what="readiness of the Deployments",
            )

    def _start(self, told: str, operator: Operator, count: int, *, settles: bool) -> "_Start":
        with self._step(told, count) as advance:
            began = time.monotonic()
            operator.launch()
            wait_until(
                answers(f"http://{operator.address}/livez"),
                within=30,
                what="a page of the operator",
            )
            with Pulse(f"http://{operator.address}/livez", operator.pid) as pulse:
                decided = self._until(meters.DECISIONS, operator, count, advance) - began
                told_at = self._until_recorded(operator, count) if settles else None
                recorded = None if told_at is None else told_at - began
            counted, _ = meters.read(_metrics(operator))
        waited = counted.get("agentscaler_api_throttled_seconds_total", 0.0)
        return _Start(decided, recorded, pulse, waited)

    def _until(
        self, name: str, operator: Operator, count: int, advance: Callable[[float], None]
    ) -> float:
        known = 0

        def is_there() -> bool:
            nonlocal known
            found = round(self._counted(operator, name))
            advance(min(count, found) - known)
            known = min(count, found)
            time.sleep(0.2)
            return found >= count

        wait_until(is_there, within=_LONGEST_START, what=f"{name} of {count}")
        return time.monotonic()

    def _until_recorded(self, operator: Operator, count: int) -> float | None:
        """Wait until the wave of first writes is over; tell when it was, None if it goes on."""
        began = last = time.monotonic()
        before = self._counted(operator, meters.RECORDED)
        now = before
        while now < count or time.monotonic() - last < CYCLE_SECONDS:
            time.sleep(0.5)
            now = self._counted(operator, meters.RECORDED)
            # A twentieth is refreshed in any cycle, a hundredth turns, reasons change for a while.
            if now - before > 0.2 * count:
                last, before = time.monotonic(), now
            if time.monotonic() - began > _LONGEST_SETTLING:
                return None
        return last

    def _settle(self, operator: Operator, count: int) -> None:
        """Wait until what the first start has to tell is told, and two more passes have ended."""
        with self._step(f"{count}: settling", _LONGEST_SETTLING) as advance:
            began = seen = time.monotonic()
            ends = self._counted(operator, meters.PASSES) + 2
            while (
                self._counted(operator, meters.PASSES) < ends
                or self._counted(operator, meters.WAITING) > 0.01 * count
            ):
                time.sleep(0.5)
                seen, before = time.monotonic(), seen
                advance(seen - before)
                if seen - began > _LONGEST_SETTLING:
                    self._progress.console.print(f"{count}: not settled: there is still to tell")
                    break

    def _counted(self, operator: Operator, name: str) -> float:
        return meters.read(_metrics(operator))[0].get(name, 0.0)

    def _measure(self, seconds: float, operator: Operator | None = None) -> Marks:
        page = _metrics(operator) if operator else ""
        pids = {name: self._pid(name) for name in _OTHERS}
        if operator:
            pids["operator"] = operator.pid
        before = meters.mark(pids, page)
        time.sleep(seconds)
        return meters.mark(pids, page).since(before)

    def _pid(self, name: str) -> int:
        pid = self._bed.programs[name].pid
        assert pid is not None
        return pid

    @contextmanager
    def _step(self, told: str, total: float) -> Iterator[Callable[[float], None]]:
        task = self._progress.add_task(told, total=total)
        yield lambda more: self._progress.advance(task, more)
        self._progress.update(task, completed=total)


@dataclass(frozen=True, slots=True)
class _Start:
    decided: float
    recorded: float | None
    pulse: Pulse
    throttled: float


def _result(
    count: int, idle: Marks, busy: Marks, pulse: Pulse, begun: _Start, again: _Start
) -> Result:
    cycles = busy.at / CYCLE_SECONDS
    baseline = {name: seconds / idle.at for name, seconds in idle.cpu.items()}
    passes = busy.counted.get("agentscaler_pass_duration_seconds_count", 0.0)

    def per_cycle(name: str) -> float:
        return busy.counted.get(name, 0.0) / cycles

    return Result(
        policies=count,
        cold_seconds=begun.decided,
        recorded_seconds=begun.recorded,
        restart_seconds=again.decided,
        cpu_cores={
            name: seconds / busy.at - baseline.get(name, 0.0) for name, seconds in busy.cpu.items()
        },
        baseline_cores=baseline,
        rss_mib=pulse.rss / MIB,
        start_rss_mib=max(begun.pulse.rss, again.pulse.rss) / MIB,
        lag_p50_ms=1000 * pulse.lag(0.5),
        lag_p99_ms=1000 * pulse.lag(0.99),
        start_lag_p99_ms=1000 * begun.pulse.lag(0.99),
        pass_seconds=busy.counted["agentscaler_pass_duration_seconds_sum"] / max(1.0, passes),
        queries_per_cycle=per_cycle("agentscaler_prometheus_queries_total"),
        throttled_seconds=busy.counted.get("agentscaler_api_throttled_seconds_total", 0.0),
        start_throttled_seconds=begun.throttled + again.throttled,
        requests_per_cycle={name: number / cycles for name, number in busy.requests.items()},
        scalings_per_cycle=per_cycle("agentscaler_scalings_total"),
        decisions_per_cycle=per_cycle(meters.DECISIONS),
    )


def _metrics(operator: Operator) -> str:
    return f"http://{operator.address}/metrics"


@contextmanager
def stage(bed: Bed, progress: Progress, spans: Spans) -> Iterator[Stage]:
    """Install what the operator needs, and play the agents."""
    objects.prepare(bed)
    targets = [{"apiGroup": "apps", "resource": "deployments"}]
    targets.append({"apiGroup": objects.GROUP, "resource": "crews"})
    sets = [
        f"scaleTargets[{place}].{name}={value}"
        for place, each in enumerate(targets)
        for name, value in each.items()
    ]
    bed.helm(
        *("install", RELEASE, str(_CHART), "--namespace", SYSTEM_NAMESPACE, "--create-namespace"),
        *("--set", ",".join(["replicas=0", f"prometheus.url={bed.prometheus_url}", *sets])),
    )
    argv = (executable, "-m", "tests.benchmarks.scale.agents", "--kubeconfig", bed.kubeconfig)
    run = ("/usr/bin/env", f"PYTHONPATH={_ROOT}:{_ROOT / 'operator'}", *argv, "--port", "{port}")
    with Companion("agents", bed, run, probe="/metrics") as agents:
        bed.scrape("agents", agents.address)
        yield Stage(bed, agents, progress, spans)
