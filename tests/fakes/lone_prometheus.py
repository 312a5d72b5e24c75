"""A real Prometheus alone, with series written down sample by sample.

Everything it knows is in the past: tests ask as of `NOON`, so nothing is waited for and every
answer is the same at each run.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rich.console import Console

from tests.bed import builds, prometheus
from tests.bed.ground import Ground
from tests.bed.ports import LOOPBACK
from tests.bed.processes import answers

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)

_PROGRAMS = ("prometheus", "promtool")


@dataclass
class Samples:
    """Series to be: samples by metric, labels and time."""

    lines: dict[str, list[str]] = field(default_factory=dict)

    def add(
        self,
        metric: str,
        labels: Mapping[str, str],
        values: Iterable[float],
        *,
        end: datetime = NOON,
        every: timedelta = 15 * SECOND,
    ) -> None:
        """Write a series whose last sample is at `end`."""
        told = list(values)
        start = end - every * (len(told) - 1)
        pairs = ",".join(f'{name}="{value}"' for name, value in labels.items())
        self.lines.setdefault(metric, []).extend(
            f"{metric}{{{pairs}}} {value} {(start + every * step).timestamp():.3f}"
            for step, value in enumerate(told)
        )

    def steady(
        self, metric: str, value: float, age: timedelta = 3 * SECOND, /, **labels: str
    ) -> None:
        """Write ten minutes of one value; the last sample is `age` old at noon."""
        self.add(metric, labels, [value] * 40, end=NOON - age)

    def growing(self, metric: str, per_second: float, /, **labels: str) -> None:
        """Write ten minutes of a counter."""
        self.add(metric, labels, [1000 + per_second * 15 * step for step in range(40)])

    def histogram(self, metric: str, per_second: Mapping[str, float], /, **labels: str) -> None:
        """Write ten minutes of a histogram, by the rates of its cumulative buckets."""
        for bound, rate in per_second.items():
            self.growing(f"{metric}_bucket", rate, **labels, le=bound)

    def text(self) -> str:
        """Give all in the OpenMetrics format; without types any name will do."""
        groups = (f"# TYPE {name} unknown\n" + "\n".join(rows) for name, rows in self.lines.items())
        return "\n".join(groups) + "\n# EOF\n"


@contextlib.contextmanager
def running(samples: Samples) -> Iterator[str]:
    """Run a Prometheus that knows the samples; give its address."""
    builds.ensure(Console(stderr=True), _PROGRAMS)
    ground = Ground()
    try:
        data, history = ground.work / "data", ground.work / "history.om"
        history.write_text(samples.text())
        prometheus.backfill(ground.tool("promtool"), history, data)
        configuration = ground.work / "prometheus.yaml"
        configuration.write_text(prometheus.configuration(ground.folder("targets"), "15s"))
        port = ground.ports.reserve()
        address = f"http://{LOOPBACK}:{port}"
        program = ground.program(
            "prometheus",
            prometheus.arguments(port, configuration, data, "5m"),
            ready=answers(f"{address}/-/ready"),
        )
        program.start()
        program.wait_ready()
        yield address
    finally:
        ground.clear()
