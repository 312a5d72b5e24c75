"""What the decisions must reach, and whether they do."""

from collections.abc import Iterator, Mapping
from typing import Final

from tests.benchmarks.quality.contest import DEFAULTS, GOAL, OURS, USUAL_SHARE
from tests.benchmarks.quality.report import (
    Results,
    geometric_mean,
    least_attainment,
    mean_cost,
    of,
)
from tests.benchmarks.quality.worlds import is_seed
from tests.benchmarks.verdicts import Verdict

USUAL: Final = "usual"
_DEFAULTS: Final = f"{OURS}, {DEFAULTS}"
_TUNED: Final = f"{OURS}, tuned"
_HPA: Final = f"HPA on utilization, {USUAL_SHARE:.0%}"
ALIKE: Final = (
    "other seed",
    "start-up twice as slow",
    "scrape each 30 s",
    "one slot",
    "16 slots",
)


def judge(worlds: Mapping[str, Results]) -> Iterator[Verdict]:
    """Hold ours against each goal that the worlds which were run can tell of."""
    if USUAL in worlds:
        yield from _usual(worlds[USUAL])
    seeds = {world: found for world, found in worlds.items() if world == USUAL or is_seed(world)}
    if len(seeds) > 1:
        yield from _by_chance(seeds)
    for world, results in worlds.items():
        if world != USUAL and not is_seed(world) and of(results, _DEFAULTS):
            yield from _special(world, results)
            yield from _compared(worlds, world)


def _usual(results: Results) -> Iterator[Verdict]:
    if of(results, _DEFAULTS):
        yield _attained(USUAL, results)
        yield _cost("defaults, geometric mean", results, _DEFAULTS, 1.20)
    if of(results, _TUNED):
        yield _cost("tuned, geometric mean", results, _TUNED, 1.12)
    if of(results, _HPA) and of(results, _DEFAULTS):
        ours = sum(each.flaps for each in of(results, _DEFAULTS).values())
        theirs = sum(each.flaps for each in of(results, _HPA).values())
        goal = "flaps at most half of HPA's"
        yield Verdict(goal, f"{ours} against {theirs}", ours <= theirs / 2)


def _attained(world: str, results: Results) -> Verdict:
    share, load = least_attainment(results)
    return Verdict(f"{world}: {GOAL:.0%} on every load", f"{share:.2%} on {load}", share >= GOAL)


def _cost(told: str, results: Results, name: str, most: float) -> Verdict:
    mean = geometric_mean([each.cost for each in of(results, name).values()])
    return Verdict(f"{told} at most {most:.2f} of the oracle", f"{mean:.3f}", mean <= most)


def _special(world: str, results: Results) -> Iterator[Verdict]:
    wasted = [each.wasted for each in of(results, _DEFAULTS).values() if each.wasted is not None]
    if not wasted:  # a slow model makes all wait, whatever is bought
        yield _attained(world, results)
    else:
        most = max(wasted)
        yield Verdict(f"{world}: at most 5 % bought for nothing", f"{most:.1%}", most <= 0.05)


def _by_chance(seeds: Mapping[str, Results]) -> Iterator[Verdict]:
    costs = [mean_cost(results) for results in seeds.values()]
    apart = max(abs(cost / geometric_mean(costs) - 1) for cost in costs)
    goal = f"{len(seeds)} seeds: each within 3 % of their mean cost"
    yield Verdict(goal, f"{apart:.1%}", apart <= 0.03)
    share, load = min(map(least_attainment, seeds.values()))
    goal = f"{len(seeds)} seeds: {GOAL:.0%} on every load"
    yield Verdict(goal, f"{share:.2%} on {load}", share >= GOAL)


def _compared(worlds: Mapping[str, Results], world: str) -> Iterator[Verdict]:
    if USUAL not in worlds:
        return
    usual, here = of(worlds[USUAL], _DEFAULTS), of(worlds[world], _DEFAULTS)
    hours = [here[load].replica_hours / usual[load].replica_hours for load in here]
    costs = [here[load].cost / usual[load].cost for load in here]
    if "noise" in world:
        more = geometric_mean(hours) - 1
        yield Verdict(f"{world}: at most 10 % dearer", f"{more:+.1%}", more <= 0.10)
    if world in ALIKE:
        other = geometric_mean(costs) - 1
        goal = f"{world}: cost within 3 % of the usual world"
        yield Verdict(goal, f"{other:+.1%}", abs(other) <= 0.03)
