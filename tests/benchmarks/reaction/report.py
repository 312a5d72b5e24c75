"""Tell the results: a table for the terminal, Markdown for the documentation, figures as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import inf, isinf
from typing import Any, Final

from rich.table import Table

from tests.benchmarks.reaction.goals import judge
from tests.benchmarks.reaction.measuring import Found, Reaction

_HEADS: Final = (
    "",
    "policies",
    "cold start, s",
    "polling, s",
    "p50, s",
    "p95, s",
    "p99, s",
    "steps",
)
Row = tuple[str, ...]


def rows(results: Sequence[Found]) -> Iterator[Row]:
    """Give a row for each measurement of reaction, with the cold start on the first of a size."""
    for found in results:
        head = (found.contender, f"{found.size:,}", _cold(found))
        for place, reaction in enumerate(found.reactions):
            yield (*(head if place == 0 else ("", "", "")), *_cells(reaction))
        if not found.reactions:
            yield (*head, "", "", "", "", "")


def _cold(found: Found) -> str:
    if isinf(found.cold_seconds):
        return f"not in time: {found.cold_evaluated:,} evaluated"
    return f"{found.cold_seconds:.1f}"


def _cells(reaction: Reaction) -> Row:
    steps = f"{reaction.steps}"
    if reaction.unanswered:
        steps += f", {reaction.unanswered} lost"
    quantiles = (_seconds(each) for each in (reaction.p50, reaction.p95, reaction.p99))
    return (f"{reaction.interval}", *quantiles, steps)


def _seconds(value: float) -> str:
    return "never" if isinf(value) else f"{value:.2f}"


def table(results: Sequence[Found]) -> Table:
    """Lay the results out for a terminal."""
    drawn = Table(title="From a visible sample to patched replicas")
    for place, head in enumerate(_HEADS):
        drawn.add_column(head, justify="right" if place else "left", no_wrap=not place)
    for row in rows(results):
        drawn.add_row(*row)
    return drawn


def markdown(results: Sequence[Found]) -> str:
    """Lay the results and the goals out for the documentation."""
    lines = ["| " + " | ".join(_HEADS) + " |", "|---|" + "--:|" * (len(_HEADS) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(results)]
    verdicts = list(judge(results))
    if verdicts:
        lines += ["", "| goal | reached | |", "|---|---|---|"]
    for each in verdicts:
        lines.append(f"| {each.goal} | {each.reached} | {'met' if each.is_met else 'missed'} |")
    return "\n".join(lines) + "\n"


def figures(results: Sequence[Found], commit: str) -> dict[str, Any]:
    """Give everything for JSON, which knows no infinity: None stands for it."""
    return {"commit": commit, "results": [_plain(asdict(found)) for found in results]}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if value == inf else value


def read(told: dict[str, Any]) -> list[Found]:
    """Read figures back."""
    return [_found(each) for each in told["results"]]


def _found(told: dict[str, Any]) -> Found:
    reactions = [Reaction(**_with_infinity(each)) for each in told["reactions"]]
    return Found(**_with_infinity({**told, "reactions": reactions}))


def _with_infinity(told: dict[str, Any]) -> dict[str, Any]:
    return {name: inf if value is None else value for name, value in told.items()}
