"""Rules that hold whatever the load is."""

from datetime import timedelta
from math import isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.api.policy import Method
from agentscaler.forecast.bank import Bank
from agentscaler.forecast.outlook import Outlook
from tests.unit.forecast.loads import MIDNIGHT, NAN, SECOND, SHORT, live, samples, series

METHODS = st.sampled_from(Method)
AHEAD = st.integers(0, 400).map(lambda seconds: seconds * SECOND)


def outlook_of(
    loads: list[float], *, method: Method = Method.MIXTURE, ahead: timedelta = 5 * SECOND
) -> Outlook:
    bank = Bank()
    row = bank.add(season=SHORT, polling=SECOND, method=method)
    return bank.outlook(row, live(bank, row, loads), ahead)


def assert_alike(one: Outlook, other: Outlook) -> None:
    """The same but for rounding: arrays of another width are summed in another order."""
    assert one.expected == pytest.approx(other.expected, rel=1e-3)
    assert one.upper == pytest.approx(other.upper, rel=1e-3)
    assert one.trusted == other.trusted


@given(series, METHODS, AHEAD, st.integers(0, 90))
def test_outlook_is_finite_and_ordered_for_any_load(
    loads: list[float], method: Method, ahead: timedelta, over: int
) -> None:
    bank = Bank()
    row = bank.add(season=SHORT, polling=SECOND, method=method)
    told = bank.outlook(row, live(bank, row, loads), ahead, over * SECOND)
    assert isfinite(told.upper)
    assert told.upper >= told.expected >= 0
    assert told.message


@given(series, METHODS)
def test_same_loads_give_the_same_outlook(loads: list[float], method: Method) -> None:
    assert outlook_of(loads, method=method) == outlook_of(loads, method=method)


@given(st.lists(st.one_of(st.floats(1, 1000), st.just(NAN)), max_size=60), METHODS)
def test_outlook_scales_with_the_load(loads: list[float], method: Method) -> None:
    small, large = (outlook_of([factor * x for x in loads], method=method) for factor in (1, 16))
    assert large.expected == pytest.approx(16 * small.expected, rel=1e-3)
    assert large.upper == pytest.approx(16 * small.upper, rel=1e-2)
    assert large.trusted == small.trusted


@given(series, series, METHODS)
def test_rows_do_not_influence_each_other(
    loads: list[float], others: list[float], method: Method
) -> None:
    bank = Bank()
    row, other = (bank.add(season=SHORT, polling=SECOND, method=method) for _ in range(2))
    now = MIDNIGHT
    for step in range(len(loads)):
        now = MIDNIGHT + step * SECOND
        bank.observe(now, [row, other], [loads[step], others[step % len(others)]])
    assert_alike(bank.outlook(row, now, 5 * SECOND), outlook_of(loads, method=method))


@given(st.lists(samples, min_size=1, max_size=300), METHODS, st.integers(0, 40))
def test_history_leads_to_where_live_samples_do(
    loads: list[float], method: Method, silence: int
) -> None:
    bank = Bank()
    lived, filled = (bank.add(season=SHORT, polling=SECOND, method=method) for _ in range(2))
    now = live(bank, lived, loads) + silence * SECOND
    bank.observe(now, [], [])
    times = MIDNIGHT.timestamp() + np.arange(len(loads))
    bank.backfill([filled], times, [loads], now=now)
    for _ in range(3):
        assert_alike(*(bank.outlook(row, now, 7 * SECOND) for row in (lived, filled)))
        now += SECOND
        bank.observe(now, [lived, filled], [3.0, 3.0])
