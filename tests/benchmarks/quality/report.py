"""Tell the results: tables, and the figures as JSON."""

from collections.abc import Mapping, Sequence
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
    results = {load: found for load, found in results.items() if found}
    lines = [
        f"\n### {world[0].upper()}{world[1:]}\n",
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
        told += f" ({', '.join(filter(None, [f'{result.setting:.3g}', result.window]))})"
    if result.wasted is not None:
        told += f", {result.wasted:.0%} for nothing"
    if result.dearer is not None and result.response is not None:
        told += f" ({result.dearer:+.0%} by the limit, responses of {result.response:.1f} s)"
    return told


def section(told: Mapping[str, Any], arguments: str) -> str:
    """Tell the kept figures for a document: where they are from, then each world."""
    tables = [
        markdown(world, {load: [Result(**each) for each in found] for load, found in loads.items()})
        for world, loads in told["worlds"].items()
    ]
    return "\n".join([f"Commit {told['commit']}, `ARGS='{arguments}'`.", *tables, ""])
