"""The metrics page: series by family, as OpenMetrics text, with or without timestamps.

Written by hand because a page of 1,000 agents has 50,000 lines, once a second.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import chain

from agentscaler import conventions

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

COUNTERS = (
    conventions.REQUESTS_RECEIVED,
    conventions.REQUESTS_ENDED,
    conventions.LLM_RESPONSES,
)
HISTOGRAMS = (conventions.REQUEST_DURATION, conventions.REQUEST_WAIT)


class Page:
    """Collects samples and gives them as text."""

    def __init__(self) -> None:
        # By family, then by the labels of a series: a history has many samples of each.
        self._families: dict[str, dict[str, list[str]]] = {}

    def add(self, name: str, labels: str, value: float, *, at: float | None = None) -> None:
        """Add one sample of a gauge or counter; `labels` is text such as `a="b"`."""
        self._lines(name, labels).append(_line(name, labels, value, at))

    def add_histogram(
        self,
        name: str,
        labels: str,
        pairs: Iterable[tuple[float, int]],
        total: float,
        *,
        at: float | None = None,
    ) -> None:
        """Add one histogram: pairs of an upper bound and the number not above it."""
        lines, count = self._lines(name, labels), 0
        for bound, below in pairs:
            lines.append(_line(f"{name}_bucket", f'{labels},le="{_number(bound)}"', below, at))
            count = below
        lines.append(_line(f"{name}_count", labels, count, at))
        lines.append(_line(f"{name}_sum", labels, total, at))

    def take(self, other: "Page") -> None:
        """Add all samples of another page."""
        for family, series in other._families.items():
            for labels, lines in series.items():
                self._lines(family, labels).extend(lines)

    def text(self) -> str:
        """Give the whole page."""
        lines: list[str] = []
        for family, series in self._families.items():
            lines.append(f"# TYPE {family.removesuffix('_total')} {_kind(family)}")
            lines += chain.from_iterable(series.values())
        return "\n".join([*lines, "# EOF\n"])

    def _lines(self, family: str, labels: str) -> list[str]:
        return self._families.setdefault(family, {}).setdefault(labels, [])


def labels_of(labels: Mapping[str, str]) -> str:
    """Write labels as text."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _line(name: str, labels: str, value: float, at: float | None) -> str:
    when = "" if at is None else f" {at:.3f}"
    return f"{name}{{{labels}}} {_number(value)}{when}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(value)


def _kind(family: str) -> str:
    if family in COUNTERS:
        return "counter"
    return "histogram" if family in HISTOGRAMS else "gauge"
