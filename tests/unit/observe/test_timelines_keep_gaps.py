"""The past is cut into even steps, and what is not known stays a gap."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.observe import timelines
from agentscaler.observe.timelines import MOST_POINTS, MOST_SAMPLES, Timeline
from tests.unit.observe.worlds import NOON

MINUTE = timedelta(minutes=1)
HALF_PAST = NOON + timedelta(seconds=30)


def points(*values: tuple[int, str]) -> dict[str, Any]:
    """Give a series of values, each at the end of a step of a minute before noon."""
    return {"metric": {}, "values": [[NOON.timestamp() - 60 * ago, text] for ago, text in values]}


def test_last_step_is_the_last_whole_one() -> None:
    line = Timeline.back(HALF_PAST, 5 * MINUTE, MINUTE)
    assert (line.start, line.count) == (NOON - 5 * MINUTE, 5)
    assert line.times[-1] == NOON.timestamp() - 30


def test_fraction_of_a_second_is_no_step() -> None:
    assert Timeline.back(NOON, MINUTE, timedelta(seconds=9.9)).step == timedelta(seconds=9)
    assert Timeline.back(NOON, MINUTE, timedelta(seconds=0.5)).step == timedelta(seconds=1)


def test_span_shorter_than_a_step_is_one_step() -> None:
    assert Timeline.back(NOON, timedelta(seconds=5), MINUTE).count == 1


@given(st.integers(1, 30_000), st.integers(0, 500))
def test_spans_cover_every_step_once_and_are_never_too_large(count: int, agents: int) -> None:
    line = Timeline.back(NOON, count * MINUTE, MINUTE)
    ends = [
        span.start + step * MINUTE
        for span in line.spans(agents)
        for step in range((span.end - span.start) // MINUTE + 1)
    ]
    assert ends == [line.start + step * MINUTE for step in range(1, count + 1)]
    for span in line.spans(agents):
        size = (span.end - span.start) // MINUTE + 1
        assert size <= MOST_POINTS
        assert size * max(1, agents) <= MOST_SAMPLES


def test_value_belongs_to_the_step_that_it_ends() -> None:
    line = Timeline.back(NOON, 4 * MINUTE, MINUTE)
    row = timelines.row_of([points((3, "1"), (0, "4"))], line)
    assert np.array_equal(row, [1, np.nan, np.nan, 4], equal_nan=True)


@pytest.mark.parametrize("text", ["NaN", "+Inf", "-Inf", "-1"])
def test_value_that_is_no_load_is_a_gap(text: str) -> None:
    line = Timeline.back(NOON, 2 * MINUTE, MINUTE)
    row = timelines.row_of([points((1, text), (0, "2"))], line)
    assert np.array_equal(row, [np.nan, 2], equal_nan=True)


def test_value_outside_the_timeline_is_left_out() -> None:
    line = Timeline.back(NOON, 2 * MINUTE, MINUTE)
    row = timelines.row_of([points((5, "1"), (0, "2"), (-3, "9"))], line)
    assert np.array_equal(row, [np.nan, 2], equal_nan=True)


@pytest.mark.parametrize("moment", [None, float("nan"), float("inf"), 1e300, -1e300])
def test_value_at_a_moment_that_makes_no_sense_is_left_out(moment: float | None) -> None:
    line = Timeline.back(NOON, 2 * MINUTE, MINUTE)
    odd = {"metric": {}, "values": [[moment, "9"], [NOON.timestamp(), "2"]]}
    assert np.array_equal(timelines.row_of([odd], line), [np.nan, 2], equal_nan=True)


def test_rows_are_by_agent() -> None:
    line = Timeline.back(NOON, MINUTE, MINUTE)
    ours = {**points((0, "2")), "metric": {"namespace": "agents", "agent": "research"}}
    rows = timelines.rows_of([ours, points((0, "3"))], line)
    assert {agent: row.tolist() for agent, row in rows.items()} == {("agents", "research"): [2.0]}


def test_past_of_a_histogram_is_a_gap() -> None:
    line = Timeline.back(NOON, 5 * MINUTE, MINUTE)
    odd = {"metric": {"namespace": "n", "agent": "odd"}, "histograms": [[NOON.timestamp(), {}]]}
    good = points((1, "3")) | {"metric": {"namespace": "n", "agent": "good"}}
    rows = timelines.rows_of([odd, good], line)
    assert np.isnan(rows["n", "odd"]).all()
    assert np.nansum(rows["n", "good"]) == 3


def test_several_series_or_none_tell_nothing() -> None:
    line = Timeline.back(NOON, MINUTE, MINUTE)
    assert np.isnan(timelines.row_of([], line)).all()
    assert np.isnan(timelines.row_of([points((0, "1")), points((0, "2"))], line)).all()


def test_slots_are_the_requests_in_service_and_waiting() -> None:
    nan = np.nan
    active, queued = np.array([2, nan, 2, nan]), np.array([1, 3, nan, nan])
    assert np.array_equal(timelines.slots(active, queued), [3, 3, nan, nan], equal_nan=True)
