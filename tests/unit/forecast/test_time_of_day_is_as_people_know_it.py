"""The mean of the same time of day: what it counts, and when it falls back."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.api.policy import Method
from agentscaler.forecast.bank import Bank
from agentscaler.forecast.columns import Doubles
from tests.unit.forecast.loads import DAY, HOUR, MIDNIGHT, MINUTE, NAN, live

QUARTER = timedelta(minutes=15)
STEP = 6 * MINUTE
PER_DAY = 240


def bank_of(loads: Doubles) -> tuple[Bank, int]:
    """Give a bank with a row that saw a load every six minutes, the last one six minutes ago."""
    bank = Bank()
    row = bank.add(polling=STEP, method=Method.TIME_OF_DAY)
    times = MIDNIGHT.timestamp() + 360.0 * np.arange(len(loads))
    now = MIDNIGHT + len(loads) * STEP
    bank.observe(now, [], [])
    bank.backfill([row], times, [loads], now=now)
    return bank, row


def by_the_book(loads: Doubles, ahead: int) -> float:
    """Compute it as its description says, sample by sample."""
    newest = len(loads) - 1
    past = [(i, x) for i, x in enumerate(loads) if i > newest - PER_DAY and np.isfinite(x)]
    target = len(loads) + ahead
    apart = [(abs(target - i) % PER_DAY, x) for i, x in past]
    close = [x for gap, x in apart if min(gap, PER_DAY - gap) <= 10]
    return float(np.mean(close or [x for _, x in past[-10:]]))


@given(st.integers(10, 500), st.integers(0, 30), st.integers(0, 2**32 - 1))
def test_mean_is_that_of_an_hour_around_the_same_time(length: int, ahead: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    loads = rng.uniform(0, 100, length)
    loads[: length - 10][rng.random(length - 10) < 0.3] = NAN
    bank, row = bank_of(loads)
    told = bank.outlook(row, MIDNIGHT + length * STEP, ahead * STEP)
    assert told.expected == pytest.approx(by_the_book(loads, ahead), rel=1e-4)
    assert (told.trusted, told.upper) == (True, told.expected)


def test_nothing_is_said_below_ten_samples() -> None:
    bank, row = bank_of(np.full(9, 5.0))
    told = bank.outlook(row, MIDNIGHT + 9 * STEP, QUARTER)
    assert (told.trusted, told.expected) == (False, 0.0)
    assert told.message == "9 of the 10 samples it needs"


def test_last_ten_samples_stand_in_for_an_unknown_hour() -> None:
    loads = np.concatenate((np.full(5, 100.0), np.full(10, 7.0)))
    bank, row = bank_of(loads)
    assert bank.outlook(row, MIDNIGHT + 15 * STEP, 6 * HOUR).expected == 7.0


def test_highest_mean_counts_over_a_stretch_of_time() -> None:
    loads = np.where(np.arange(PER_DAY) // 10 == 9, 60.0, 6.0)
    bank, row = bank_of(loads)
    now = MIDNIGHT + DAY
    plain = bank.outlook(row, now, QUARTER)
    longer = bank.outlook(row, now, QUARTER, over=10 * HOUR)
    assert plain.expected == pytest.approx(6.0)
    assert longer.expected > 30


def test_window_scales_with_the_season() -> None:
    bank = Bank()
    row = bank.add(
        season=timedelta(minutes=4), polling=timedelta(seconds=1), method=Method.TIME_OF_DAY
    )
    # A burst of 20 s in each four minutes; an hour of a day is ten seconds here.
    loads = np.where(np.arange(480) % 240 < 20, 90.0, 9.0)
    now = live(bank, row, loads)
    assert bank.outlook(row, now, timedelta(seconds=11)).expected > 80
    assert bank.outlook(row, now, timedelta(seconds=60)).expected == pytest.approx(9.0)
