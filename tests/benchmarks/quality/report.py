"""Tell the results: tables, and the figures as JSON."""

from collections.abc import Mapping, Sequence
from math import exp, fsum, log
from typing import Final

from tests.benchmarks.quality.contest import DEFAULTS, OURS, Result

Results = Mapping[str, Sequence[Result]]
"""What was reached, load by load."""

_DEFAULTS: Final = f"{OURS}, {DEFAULTS}"


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


def beside(worlds: Mapping[str, Results]) -> str:
    """Tell the defaults in worlds that differ by chance alone, a line for each, and their span."""
    lines = ["", "| | cost | to the mean | least attainment | flaps |", "|---|--:|--:|--:|--:|"]
    costs = {world: mean_cost(results) for world, results in worlds.items()}
    mean = geometric_mean(list(costs.values()))
    least = {world: least_attainment(results) for world, results in worlds.items()}
    for world, results in worlds.items():
        share, load = least[world]
        flaps = sum(each.flaps for each in of(results, _DEFAULTS).values())
        told = f"{share:.2%} ({load.partition('.')[0]})"
        cost = costs[world]
        lines.append(f"| {world} | {cost:.3f} | {cost / mean - 1:+.1%} | {told} | {flaps} |")
    low, high = min(costs.values()), max(costs.values())
    share = min(least.values())[0]
    lines.append(f"| all | {low:.3f} to {high:.3f} | {high / low - 1:.1%} apart | {share:.2%} | |")
    return "\n".join(lines)


def mean_cost(results: Results) -> float:
    """Give the geometric mean of what the defaults cost."""
    return geometric_mean([each.cost for each in of(results, _DEFAULTS).values()])


def least_attainment(results: Results) -> tuple[float, str]:
    """Give the share that the defaults served in time on the worst load, and that load."""
    return min((each.attainment or 0.0, load) for load, each in of(results, _DEFAULTS).items())


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


def section(commit: str, arguments: str, tables: Sequence[str]) -> str:
    """Tell tables for a document, and where they are from."""
    return "\n".join([f"Commit {commit}, `ARGS='{arguments}'`.", *tables, ""])
