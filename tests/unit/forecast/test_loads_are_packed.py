"""Loads that are kept for days take half of the memory, and say the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.forecast import columns
from agentscaler.forecast.cohort import MOST_LOAD


def kept(load: float) -> float:
    return float(columns.unpacked(columns.packed(np.array([load], np.float32)))[0])


@given(st.floats(1e-6, 4 * MOST_LOAD))
def test_load_is_kept_to_a_thousandth(load: float) -> None:
    assert kept(load) == pytest.approx(load, rel=1e-3)


def test_nothing_stays_nothing_and_unknown_stays_unknown() -> None:
    assert kept(0.0) == 0.0
    assert np.isnan(kept(np.nan))


@pytest.mark.filterwarnings("error")
def test_forecast_beyond_all_loads_stays_finite() -> None:
    assert kept(3e38) == pytest.approx(4e9, rel=1e-3)


def test_packed_loads_take_two_bytes() -> None:
    assert columns.packed(columns.zeros(100)).nbytes == 200
