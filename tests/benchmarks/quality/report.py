"""Tell the results: tables, and the figures as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import exp, fsum, log
from typing import Any

from tests.benchmarks.quality.contest import Result

Results = Mapping[str, Sequence[Result]]
"""What was reached, load by load."""


def geometric_mean(values: Sequence[float]) -> float:
    """Give the mean for ratios."""
    return exp(fsum(map(log, values)) / len(values))


def of(results: Results, name: str) -> dict[str, Result]:
    """Give one line of the table, load by load."""
    return {load: each for load, found in results.items() for each in found if each.name == name}


def markdown(world: str, results: Results) -> str:
    """Tell a world: one line for each who was compared, one column for each load."""
    lines = [
        f"\n## {world}\n",
        "Cost as a multiple of the oracle's, and the share that began within 5 s.\n",
        "| | "
        + " | ".join(load.partition(".")[0] for load in results)
        + " | geometric mean | scale events | flaps |",
        "|---|" + "--:|" * (len(results) + 3),
    ]
    for name in dict.fromkeys(each.name for found in results.values() for each in found):
        line = of(results, name)
        cells = " | ".join(_cell(line[load]) if load in line else "" for load in results)
        mean = geometric_mean([each.cost for each in line.values()])
        events = sum(each.scalings for each in line.values())
        flaps = sum(each.flaps for each in line.values())
        lines.append(f"| {name} | {cells} | {mean:.2f} | {events} | {flaps} |")
    return "\n".join(lines)


def _cell(result: Result) -> str:
    told = f"{result.cost:.2f}"
    if result.attainment is not None:
        told += f" at {result.attainment:.1%}"
    if result.variant == "tuned":
        told += f" ({result.setting:.3g})"
    if result.wasted is not None:
        told += f", {result.wasted:.0%} for nothing"
    return told


def figures(worlds: Mapping[str, Results], commit: str) -> dict[str, Any]:
    """Give everything for JSON."""
    return {
        "commit": commit,
        "worlds": {
            world: {load: [asdict(each) for each in found] for load, found in results.items()}
            for world, results in worlds.items()
        },
    }
