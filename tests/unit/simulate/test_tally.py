"""Sums over waits: histogram, quantile, mean, attainment."""

import math

from hypothesis import given
from hypothesis import strategies as st

from agentscaler.simulate.tally import BOUNDS, Histogram, Tally


@given(st.lists(st.floats(0, 1000)))
def test_histogram_counts_each_observation_once_and_cumulates(observed: list[float]) -> None:
    histogram = Histogram()
    for seconds in observed:
        histogram.observe(seconds)
    pairs = histogram.cumulative()
    assert [bound for bound, _ in pairs] == [*BOUNDS, math.inf]
    for bound, count in pairs:
        assert count == sum(seconds <= bound for seconds in observed)
    assert math.isclose(histogram.total, sum(observed), abs_tol=1e-9)
    mean = sum(observed) / len(observed) if observed else 0.0
    assert math.isclose(histogram.mean, mean, abs_tol=1e-9)


def test_quantiles_are_waits_that_occurred() -> None:
    tally = Tally()
    tally.waits.extend([4.0, 1.0, 3.0, 2.0])
    assert tally.wait_quantile(0.5) == 2.0
    assert tally.wait_quantile(0.99) == 4.0
    assert tally.wait_quantile(0.0) == 1.0
    assert tally.mean_wait == 2.5


def test_nothing_served_is_no_failure() -> None:
    tally = Tally()
    assert (tally.mean_wait, tally.wait_quantile(0.99), tally.attainment()) == (0.0, 0.0, 1.0)


def test_attainment_is_the_share_served_in_time() -> None:
    tally = Tally(begun=8, late=1)
    assert tally.attainment() == 0.875
    assert tally.attainment(overdue=2) == 0.7
