"""Tell the results: tables, the figures as JSON, and the goals that were reached or missed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from math import exp, fsum, log
from typing import Any

from tests.benchmarks.quality.contest import GOAL, OURS, Result

MOST_COST = 1.20
Results = Mapping[str, Sequence[Result]]
"""What was reached, load by load."""


def geometric_mean(values: Sequence[float]) -> float:
    """Give the mean for ratios."""
    return exp(fsum(map(log, values)) / len(values))


def markdown(world: str, results: Results) -> str:
    """Tell a world: one line for each who was compared, one column for each load."""
    rows = [{each.name: each for each in found} for found in results.values()]
    lines = [
        f"\n## {world}\n",
        "Cost as a multiple of the oracle's, and the share that began within 5 s.\n",
        "| | " + " | ".join(results) + " | geometric mean | flaps |",
        "|---|" + "--:|" * (len(results) + 2),
    ]
    for name in rows[0]:
        line = [row[name] for row in rows]
        cells = " | ".join(_cell(each) for each in line)
        mean = geometric_mean([each.cost for each in line])
        lines.append(f"| {name} | {cells} | {mean:.2f} | {sum(each.flaps for each in line)} |")
    return "\n".join(lines)


def _cell(result: Result) -> str:
    setting = "" if result.setting is None else f" (share {result.setting:.2f})"
    return f"{result.cost:.2f} at {result.attainment:.1%}{setting}"


def goals(results: Results) -> Iterator[tuple[str, bool]]:
    """Hold ours against the goals of the usual world."""
    ours = {
        load: next(each for each in found if each.name == OURS) for load, found in results.items()
    }
    worst = min(ours.values(), key=lambda each: each.attainment)
    yield f"least attainment {worst.attainment:.2%}, goal {GOAL:.0%}", worst.attainment >= GOAL
    mean = geometric_mean([each.cost for each in ours.values()])
    yield f"geometric mean of the cost {mean:.2f}, goal {MOST_COST:.2f}", mean <= MOST_COST


def figures(worlds: Mapping[str, Results]) -> dict[str, Any]:
    """Give everything for JSON."""
    return {
        world: {load: [asdict(each) for each in found] for load, found in results.items()}
        for world, results in worlds.items()
    }
