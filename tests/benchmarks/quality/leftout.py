"""Constants chosen anew without one load, and tried on it: were they made for these loads?

The choice goes by the goals: the cheapest that keep 99 % on each of the loads and flap at most half
as often as an HPA; where none does, those that serve the worst of the loads best.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import product
from typing import Any, Final
from unittest.mock import patch

from agentscaler.decide import reserve
from tests.benchmarks.quality.contest import GOAL, OURS, USUAL_SHARE, Contest, Result
from tests.benchmarks.quality.report import Results, geometric_mean, of

HPA: Final = "HPA on utilization"


@dataclass(frozen=True, slots=True)
class Constants:
    """Three constants that matter most: of the window, and of how the reserve is learned."""

    window: int
    per_hour: float
    aim: float

    @property
    def name(self) -> str:
        """Give the variant of the tables."""
        return f"{self.window} s, {self.per_hour:g}, {self.aim:g}"

    def in_force(self) -> AbstractContextManager[Any]:
        """Let the reserve be learned with these."""
        return patch.multiple(reserve, _PER_HOUR=self.per_hour, _AIM=self.aim)

    @property
    def spec(self) -> dict[str, Any]:
        """Give what of them a policy can set."""
        return {"demand": {"scaleDown": {"cooldown": f"{self.window}s"}}}


SHIPPED: Final = Constants(300, 0.15, 0.8)
GRID: Final = tuple(
    Constants(*each) for each in product((180, 300, 420), (0.075, 0.15, 0.3), (0.6, 0.8, 1.0))
)


def tried(contest: Contest) -> Iterator[Result]:
    """Let ours run with all of the grid, and the HPA."""
    yield contest.peer(HPA, USUAL_SHARE)
    for constants in GRID:
        with constants.in_force():
            yield contest.ours(constants.spec, constants.name)


def table(results: Results) -> str:
    """Tell, load by load, what was chosen without it and what came of that."""
    lines = [
        "",
        "| left out | chosen on the others | cost | in time | flaps "
        "| shipped: cost | in time | flaps |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    rows = []
    for load in results:
        chosen = choose({other: found for other, found in results.items() if other != load})
        rows.append([_of(results, each)[load] for each in (chosen, SHIPPED)])
        cells = " | ".join(f"{r.cost:.3f} | {r.attainment:.2%} | {r.flaps}" for r in rows[-1])
        lines.append(f"| {load.partition('.')[0]} | {chosen.name} | {cells} |")
    cells = " | ".join(map(_summed, zip(*rows, strict=True)))
    return "\n".join([*lines, f"| all | | {cells} |"])


def choose(results: Results) -> Constants:
    """Give the constants that the goals would have chosen on these loads."""
    most = sum(each.flaps for found in results.values() for each in found if each.algorithm == HPA)
    return min(GRID, key=lambda each: _rank(list(_of(results, each).values()), most / 2))


def _rank(line: Sequence[Result], most_flaps: float) -> tuple[float, bool, float]:
    missed = max(0.0, GOAL - min(each.attainment or 0.0 for each in line))
    flaps = sum(each.flaps for each in line)
    return missed, flaps > most_flaps, geometric_mean([each.cost for each in line])


def _of(results: Results, constants: Constants) -> dict[str, Result]:
    return of(results, f"{OURS}, {constants.name}")


def _summed(line: Sequence[Result]) -> str:
    mean = geometric_mean([each.cost for each in line])
    least = min(each.attainment or 0.0 for each in line)
    return f"{mean:.3f} | {least:.2%} | {sum(each.flaps for each in line)}"
