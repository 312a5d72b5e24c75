"""The metrics page: series by family, as OpenMetrics text, with or without timestamps.

Written by hand because a page of 1,000 agents has 50,000 lines, once a second.
"""

import math
from collections.abc import Iterable, Mapping

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
        self._families: dict[str, list[str]] = {}

    def add(self, name: str, labels: str, value: float, *, at: float | None = None) -> None:
        """Add one sample of a gauge or counter; `labels` is text such as `a="b"`."""
        self._sample(name, name, labels, value, at)

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
        count = 0
        for bound, below in pairs:
            self._sample(name, f"{name}_bucket", f'{labels},le="{_number(bound)}"', below, at)
            count = below
        self._sample(name, f"{name}_count", labels, count, at)
        self._sample(name, f"{name}_sum", labels, total, at)

    def take(self, other: "Page") -> None:
        """Add all samples of another page."""
        for family, lines in other._families.items():
            self._families.setdefault(family, []).extend(lines)

    def text(self) -> str:
        """Give the whole page."""
        lines = []
        for family, samples in self._families.items():
            lines.append(f"# TYPE {family.removesuffix('_total')} {_kind(family)}")
            lines += samples
        return "\n".join([*lines, "# EOF\n"])

    def _sample(self, family: str, name: str, labels: str, value: float, at: float | None) -> None:
        lines = self._families.setdefault(family, [])
        when = "" if at is None else f" {at:.3f}"
        lines.append(f"{name}{{{labels}}} {_number(value)}{when}")


def labels_of(labels: Mapping[str, str]) -> str:
    """Write labels as text."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


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
