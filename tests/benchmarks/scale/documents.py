"""Write the figures into the documents: between two marks, what was measured last.

Everything else of a document is written by people.
"""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Final

from tests.benchmarks import sections
from tests.benchmarks.scale import report
from tests.benchmarks.scale.goals import judge
from tests.benchmarks.scale.rounds import Result

_DOCS: Final = Path(__file__).parents[3] / "docs"
# Room for what was not measured: busier hours, histories of forecasts, answers of many pods.
_ROOM: Final = 1.5


def write(results: Sequence[Result], folder: Path = _DOCS) -> None:
    """Put the table into the page of benchmarks, and the sizing into that of operators."""
    sections.write(folder / "benchmarks.md", "scale", measured(results))
    sections.write(folder / "operating.md", "sizing", sizing(results))


def measured(results: Sequence[Result]) -> str:
    """Give the table of what was measured, and the goals."""
    lines = [f"- {verdict}" for verdict in judge(results)]
    return "\n".join([report.markdown(results), "", *lines])


def sizing(results: Sequence[Result]) -> str:
    """Give what to request for so many policies: what was measured, and half as much again."""
    titles = ("policies", "CPU request", "memory request and limit", "API requests/s", "started in")
    lines = [f"| {' | '.join(titles)} |", "|" + "--:|" * len(titles)]
    lines += [f"| {' | '.join(_sized(result))} |" for result in results]
    return "\n".join(lines)


def _sized(result: Result) -> Sequence[str]:
    cores = _ROOM * result.cpu_cores["operator"]
    mib = _ROOM * max(result.rss_mib, result.start_rss_mib)
    return (
        f"{result.policies:,}",
        f"{max(50, 50 * ceil(round(20 * cores, 3)))}m",
        f"{64 * ceil(mib / 64)}Mi",
        f"{sum(result.requests_per_cycle.values()) / 15:.1f}",
        f"{ceil(max(result.cold_seconds, result.restart_seconds))} s",
    )
