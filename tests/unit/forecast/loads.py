"""Loads and banks for the tests of the forecast."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import strategies as st

from agentscaler.forecast.bank import Bank
from agentscaler.forecast.columns import Doubles

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SHORT = timedelta(minutes=2)
"""A season of 120 buckets of a second, so that days pass quickly."""
NAN = float("nan")

samples = st.one_of(st.floats(0, 1e6), st.sampled_from([0.0, NAN, 1e300, 5e-324]))
series = st.lists(samples, min_size=1, max_size=60)


def live(bank: Bank, row: int, loads: Iterable[float], step: timedelta = SECOND) -> datetime:
    """Observe loads one step after the other from midnight on; tell the time of the last."""
    now = MIDNIGHT - step
    for load in loads:
        now += step
        bank.observe(now, [row], [load])
    return now


def wave(steps: int, period: int, *, middle: float = 50.0, height: float = 30.0) -> Doubles:
    """Give a load that repeats every `period` steps."""
    waves: Doubles = middle + height * np.sin(np.arange(steps) * 2 * np.pi / period)
    return waves
