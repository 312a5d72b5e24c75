"""The cost is taken apart without a rest, and who knows less pays more."""

from dataclasses import replace

import numpy as np
import pytest

from agentscaler.simulate.past import Past
from agentscaler.simulate.workload import chance
from tests.benchmarks.quality import gap, oracle
from tests.benchmarks.quality.contest import Contest, Result
from tests.benchmarks.quality.worlds import World


@pytest.fixture(scope="module")
def contest() -> Contest:
    """Make forty minutes of ten busy slots in the mean, by chance."""
    rng = chance("gap")
    at = np.sort([rng.uniform(0, 2400) for _ in range(2400)])
    return Contest(Past(0.0, 2400.0, at, np.full(len(at), 10.0), slots=4, start_up=30.0), World())


def test_parts_add_up_to_the_cost(contest: Contest) -> None:
    found = {each.name: each for each in gap.apart(contest)}
    parts = [found[name].cost for name in gap.PARTS]
    assert sum(parts) == pytest.approx(found["agentscaler, defaults"].cost)
    assert found["busy"].replica_hours == pytest.approx(2.5 * 1800 / 3600, rel=0.05)
    assert min(each.attainment or 1.0 for each in found.values()) >= 0.99


def test_oracle_that_knows_only_the_rate_pays_for_chance(contest: Contest) -> None:
    known = oracle.of_rate(contest.past, 300.0, 5.0, 0.99)
    assert contest.yardstick.oracle < known <= 1.6 * contest.yardstick.oracle


def test_busy_slots_are_the_work_of_a_span() -> None:
    at = np.arange(0.0, 1200.0, 1.0)
    past = Past(0.0, 1200.0, at, np.full(len(at), 10.0), slots=4, start_up=30.0)
    busy = gap.Busy(Contest(past, World()))
    assert busy.mean(100.0, 700.0) == pytest.approx(10.0)
    assert busy.about(5000.0, 300.0) == pytest.approx(10.0)  # beyond the end: the last it knows


def test_table_adds_parts_up_and_takes_the_geometric_mean_of_costs() -> None:
    ours, busy = Result("ours", "", 1.0, 1.0, 9.0), Result("busy", "", None, 0.5, 4.0)
    dearer = [replace(ours, cost=4.0), replace(busy, cost=1.0)]
    assert gap.table({"a.60s": [ours, busy], "b": dearer}).splitlines() == [
        "",
        "| | a | b | mean |",
        "|---|--:|--:|--:|",
        "| ours | 1.000 | 4.000 | 2.000 |",
        "| of which: busy | 0.500 | 1.000 | 0.750 |",
    ]
