"""Tell the results: a table for the terminal, JSON, and the sections of the documents."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.table import Table

from tests.benchmarks.scale.rounds import Result


def _requests(result: Result) -> str:
    found = sorted(result.requests_per_cycle.items(), key=lambda each: -each[1])
    return ", ".join(f"{number:.1f} {name}" for name, number in found if number >= 0.05)


def _recorded(result: Result) -> str:
    seconds = result.recorded_seconds
    return "longer than measured" if seconds is None else f"{seconds:.1f} s"


_ROWS: Final[Sequence[tuple[str, Callable[[Result], str]]]] = (
    ("operator, CPU seconds per cycle of 15 s", lambda it: f"{15 * it.cpu_cores['operator']:.2f}"),
    ("operator, cores", lambda it: f"{it.cpu_cores['operator']:.3f}"),
    (
        "API server and etcd over baseline, cores",
        lambda it: f"{it.cpu_cores['kube-apiserver'] + it.cpu_cores['etcd']:.3f}",
    ),
    ("Prometheus over baseline, cores", lambda it: f"{it.cpu_cores['prometheus']:.3f}"),
    ("all over baseline, cores", lambda it: f"{sum(it.cpu_cores.values()):.3f}"),
    ("operator, MiB at work", lambda it: f"{it.rss_mib:.0f}"),
    ("operator, MiB at most at a start", lambda it: f"{it.start_rss_mib:.0f}"),
    ("Prometheus queries per cycle", lambda it: f"{it.queries_per_cycle:.1f}"),
    ("requests per cycle", _requests),
    ("scalings per cycle", lambda it: f"{it.scalings_per_cycle:.1f}"),
    ("waited for the own rate limit", lambda it: f"{it.throttled_seconds:.1f} s"),
    ("mean pass", lambda it: f"{it.pass_seconds:.2f} s"),
    ("loop lag p50, p99", lambda it: f"{it.lag_p50_ms:.0f} ms, {it.lag_p99_ms:.0f} ms"),
    ("loop lag p99 at the first start", lambda it: f"{it.start_lag_p99_ms:.0f} ms"),
    ("first start until all were decided on", lambda it: f"{it.cold_seconds:.1f} s"),
    ("first start until the wave of first writes was over", _recorded),
    ("restart until all were decided on", lambda it: f"{it.restart_seconds:.1f} s"),
)


def table(results: Sequence[Result]) -> Table:
    """Give all results for a terminal, one size a column."""
    made = Table(title="What policies cost")
    made.add_column("policies")
    for result in results:
        made.add_column(f"{result.policies:,}", justify="right")
    for told, say in _ROWS:
        made.add_row(told, *(say(result) for result in results))
    return made


def markdown(results: Sequence[Result]) -> str:
    """Give the same for a document."""
    lines = ["| policies | " + " | ".join(f"{it.policies:,}" for it in results) + " |"]
    lines.append("|---|" + "--:|" * len(results))
    lines += [f"| {told} | " + " | ".join(map(say, results)) + " |" for told, say in _ROWS]
    return "\n".join(lines)


def figures(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Give everything for JSON."""
    return [asdict(result) for result in results]
