"""Constants are chosen on some loads by the goals, and told for the one that had no say."""

from dataclasses import replace

import numpy as np

from agentscaler.decide import reserve
from agentscaler.simulate.past import Past
from tests.benchmarks.quality import leftout
from tests.benchmarks.quality.contest import OURS, Contest, Result
from tests.benchmarks.quality.leftout import GRID, SHIPPED, Constants
from tests.benchmarks.quality.worlds import World

HPA = Result(leftout.HPA, "70%", 1.0, 1.5, 10.0, flaps=10)
USUAL = Result(OURS, "", 0.995, 1.2, 10.0, flaps=4)


def a_load(**better: Result) -> list[Result]:
    """Give a load on which all of the grid do alike, but for what is told by number."""
    found = [replace(better.get(f"n{i}", USUAL), variant=each.name) for i, each in enumerate(GRID)]
    return [HPA, *found]


def test_what_is_shipped_is_of_the_grid() -> None:
    assert SHIPPED in GRID
    assert (SHIPPED.per_hour, SHIPPED.aim) == (reserve._PER_HOUR, reserve._AIM)


def test_cheapest_that_serves_and_stays_calm_is_chosen() -> None:
    late, restless = replace(USUAL, attainment=0.98, cost=1.0), replace(USUAL, flaps=6, cost=1.0)
    load = a_load(n0=late, n1=restless, n2=replace(USUAL, cost=1.1))
    assert leftout.choose({"a": load}) == GRID[2]


def test_where_none_serves_all_the_best_service_is_chosen() -> None:
    late = {f"n{number}": replace(USUAL, attainment=0.97) for number in range(len(GRID))}
    late["n5"] = replace(USUAL, attainment=0.989, cost=1.5)
    assert leftout.choose({"a": a_load(**late)}) == GRID[5]


def test_load_that_is_left_out_has_no_say() -> None:
    cheap, dear = replace(USUAL, cost=1.1), replace(USUAL, cost=1.9)
    results = {"a.60s": a_load(n0=cheap), "b": a_load(n0=dear, n3=cheap)}
    told = leftout.table(results).splitlines()
    assert told[3].startswith(f"| a | {GRID[3].name} | 1.200 | 99.50% | 4 | 1.200 |")
    assert told[4].startswith(f"| b | {GRID[0].name} | 1.900 | 99.50% | 4 | 1.200 |")
    assert told[5].startswith("| all | | 1.510 | 99.50% | 8 | 1.200 |")


def test_constants_are_in_force_for_a_run_only() -> None:
    before = reserve._PER_HOUR, reserve._AIM
    with Constants(180, 0.3, 1.0).in_force():
        assert (reserve._PER_HOUR, reserve._AIM) == (0.3, 1.0)
    assert before == (reserve._PER_HOUR, reserve._AIM)


def test_all_of_the_grid_are_tried_beside_the_hpa() -> None:
    at = np.arange(0.0, 900.0, 3.0)
    contest = Contest(Past(0.0, 900.0, at, np.full(300, 6.0), slots=4, start_up=30.0), World())
    names = [each.name for each in leftout.tried(contest)]
    assert names == [HPA.name, *(f"{OURS}, {each.name}" for each in GRID)]
