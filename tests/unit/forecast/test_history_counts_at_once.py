"""A history read back counts from the first look on, before any bucket is closed live."""

from datetime import UTC, datetime, timedelta

import numpy as np

from agentscaler.api.policy import Method
from agentscaler.forecast.bank import Bank

MORNING = datetime(2026, 11, 24, 7, 58, tzinfo=UTC)
DAY = 86_400
MINUTE = 60


def test_load_of_this_time_yesterday_is_expected_right_after_backfill() -> None:
    bank = Bank()
    row = bank.add(method=Method.TIME_OF_DAY)
    times = np.arange(MORNING.timestamp() - DAY, MORNING.timestamp(), MINUTE)
    loads = np.where(times < MORNING.timestamp() - DAY / 2, 40.0, 2.0)
    bank.backfill([row], times, loads[np.newaxis], now=MORNING)
    expected = bank.outlook(row, MORNING, timedelta(minutes=90)).expected
    assert expected == 40.0
