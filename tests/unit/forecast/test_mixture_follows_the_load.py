"""What the mixture makes of loads that people know: seasons, shifts, gaps, silence."""

from copy import deepcopy
from datetime import datetime, timedelta

import numpy as np
import pytest

from agentscaler.forecast.bank import Bank
from tests.unit.forecast.loads import MIDNIGHT, NAN, SECOND, SHORT, live, wave

SEASON = 120


def bank_row(quantile: float = 0.9) -> tuple[Bank, int]:
    bank = Bank()
    return bank, bank.add(season=SHORT, polling=SECOND, quantile=quantile)


@pytest.fixture(scope="module")
def rising() -> tuple[Bank, int, datetime]:
    """A row after five seasons and an eighth, in the middle of a ramp; not to be fed."""
    bank, row = bank_row()
    loads = np.random.default_rng(7).normal(wave(5 * SEASON + SEASON // 8, SEASON), 1)
    return bank, row, live(bank, row, loads)


def test_ramp_is_foreseen_once_a_season_was_seen(rising: tuple[Bank, int, datetime]) -> None:
    bank, row, now = rising
    present, truth = wave(SEASON, SEASON)[[SEASON // 8 - 1, SEASON // 8 + 14]]
    told = bank.outlook(row, now, 15 * SECOND)
    assert present < 0.95 * truth
    assert told.expected == pytest.approx(truth, rel=0.05)
    assert truth < told.upper < 1.2 * truth
    assert "best naive forecast" in told.message


def test_record_better_than_the_naive_ones_is_trusted(rising: tuple[Bank, int, datetime]) -> None:
    bank, row, now = rising
    assert bank.outlook(row, now, SECOND).trusted


def test_level_shift_is_followed_within_a_few_buckets() -> None:
    bank, row = bank_row()
    now = live(bank, row, np.concatenate((np.full(SEASON, 10.0), np.full(20, 40.0))))
    assert bank.outlook(row, now, SECOND).expected == pytest.approx(40.0, rel=0.1)


def test_share_of_loads_below_the_upper_one_is_the_quantile() -> None:
    bank, row = bank_row(quantile=0.9)
    rng = np.random.default_rng(3)
    loads = rng.poisson(wave(4 * SEASON, SEASON)).astype(float)
    below = []
    for step, load in enumerate(loads):
        now = MIDNIGHT + step * SECOND
        bank.observe(now, [row], [load])
        # What is said now, before this bucket closes, of the next one but one.
        below.append(bank.outlook(row, now, SECOND).upper)
    settled = np.array(below[SEASON:-1]) >= loads[SEASON + 1 :]
    assert 0.86 <= settled.mean() <= 0.94


def test_pure_noise_is_not_worth_acting_on_more_than_its_mean() -> None:
    bank, row = bank_row()
    rng = np.random.default_rng(5)
    now = live(bank, row, rng.poisson(20, SEASON).astype(float))
    told = bank.outlook(row, now, 5 * SECOND)
    assert told.expected == pytest.approx(20, rel=0.15)
    assert told.upper == pytest.approx(26, rel=0.2)


def test_gap_of_a_season_is_bridged_by_the_one_before() -> None:
    bank, row = bank_row()
    loads = wave(3 * SEASON, SEASON)
    loads[SEASON : 2 * SEASON] = NAN
    now = live(bank, row, loads)
    truth = wave(5 * SEASON, SEASON)[len(loads) - 1 + 30]
    assert bank.outlook(row, now, 30 * SECOND).expected == pytest.approx(truth, rel=0.1)


@pytest.mark.parametrize("value", [NAN, float("inf"), -1.0], ids=["nan", "infinity", "negative"])
def test_sample_that_is_no_load_is_unknown(value: float) -> None:
    bank, row = bank_row()
    now = live(bank, row, [5.0] * 30 + [value])
    bank.observe(now + SECOND, [], [])
    told = bank.outlook(row, now, SECOND)
    assert told.expected == pytest.approx(5.0)


def test_trust_ends_with_the_samples(rising: tuple[Bank, int, datetime]) -> None:
    bank, row, now = deepcopy(rising)
    bank.observe(now + 70 * SECOND, [], [])
    told = bank.outlook(row, now + 70 * SECOND, SECOND)
    assert (told.trusted, told.message) == (False, "no sample for 69 buckets")


def test_margin_grows_with_the_silence() -> None:
    bank, row = bank_row()
    walk = 500 + np.random.default_rng(7).normal(0, 10, 4 * SEASON).cumsum()
    now = live(bank, row, np.maximum(walk, 0))
    margins = []
    for silent in (0, 10, 40):
        at = now + silent * SECOND
        bank.observe(at, [], [])
        told = bank.outlook(row, at, SECOND)
        margins.append(told.upper - told.expected)
    assert 0 < margins[0] < margins[1] < margins[2]


def test_row_without_a_sample_says_so() -> None:
    bank, row = bank_row()
    told = bank.outlook(row, MIDNIGHT, SECOND)
    assert (told.expected, told.upper, told.trusted) == (0.0, 0.0, False)
    assert told.message == "no sample yet"


def test_new_row_is_still_learning() -> None:
    bank, row = bank_row()
    told = bank.outlook(row, live(bank, row, [4.0] * 5), SECOND)
    assert not told.trusted
    assert told.message.startswith("still learning")


def test_load_that_does_not_move_is_forecast_as_it_is() -> None:
    bank, row = bank_row()
    told = bank.outlook(row, live(bank, row, [4.0] * 2 * SEASON), 10 * SECOND)
    assert told.expected == pytest.approx(4.0)
    assert told.trusted


def test_highest_load_counts_over_a_stretch_of_time(rising: tuple[Bank, int, datetime]) -> None:
    bank, row, now = rising
    plain = bank.outlook(row, now, SECOND)
    longer = bank.outlook(row, now, SECOND, over=timedelta(seconds=30))
    assert longer.expected > 1.05 * plain.expected
    assert longer.upper >= longer.expected


def test_far_lookahead_is_that_of_the_farthest_horizon(rising: tuple[Bank, int, datetime]) -> None:
    bank, row, now = rising
    near, far = (bank.outlook(row, now, seconds * SECOND) for seconds in (100, 1000))
    assert (near.expected, near.upper) == (far.expected, far.upper)
