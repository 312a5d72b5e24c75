"""The bank's book-keeping: rows, buckets, clocks, memory."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.api.policy import Method
from agentscaler.forecast import columns
from agentscaler.forecast.bank import Bank
from agentscaler.forecast.cohort import Cohort
from agentscaler.forecast.columns import Doubles
from agentscaler.forecast.mixture import Mixture
from agentscaler.forecast.rhythm import Rhythm
from agentscaler.forecast.timeofday import TimeOfDay
from tests.unit.forecast.loads import DAY, HOUR, MIDNIGHT, MINUTE, SECOND, SHORT, live, wave

POLL = timedelta(seconds=15)
MILLISECOND = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("season", "polling", "bucket"),
    [
        (DAY, POLL, MINUTE),
        (HOUR, POLL, POLL),
        (3 * MINUTE, SECOND, SECOND),
        (DAY, 2 * MINUTE, 2 * MINUTE),
        (2 * DAY, POLL, 2 * MINUTE),
        (SECOND, POLL, SECOND),
    ],
    ids=["day", "hour", "demo", "rare polls", "two days", "tiny"],
)
def test_bucket_follows_season_and_polls(
    season: timedelta, polling: timedelta, bucket: timedelta
) -> None:
    assert Rhythm.of(season, polling).bucket == bucket


@pytest.mark.parametrize("years", [1, 6, 7, 30])
def test_first_sample_closes_no_buckets_of_years_ago(years: int) -> None:
    """Which took 11 s of the loop for seasons above six years, and with it the Lease."""
    closed: list[int] = []

    class Forecaster(Mixture):
        def close(self, bucket: int, loads: Doubles) -> None:
            closed.append(bucket)
            super().close(bucket, loads)

    rhythm = Rhythm.of(years * 365 * DAY, POLL)
    cohort = Cohort(Method.MIXTURE, rhythm, np.array([0.9]))
    cohort.forecaster = Forecaster(rhythm, cohort.quantiles)
    bucket = rhythm.number(MIDNIGHT)
    cohort.advance(bucket)
    cohort.add(bucket, np.array([0]), np.array([5.0]))
    assert (closed, cohort.open, cohort.counts.tolist()) == ([], bucket, [1.0])


@given(st.lists(st.booleans(), max_size=40))
def test_rows_are_found_after_others_came_and_went(steps: list[bool]) -> None:
    bank, rows, serial = Bank(), dict[int, float](), 0
    for comes in steps:
        if comes or not rows:
            serial += 1
            rows[bank.add(season=SHORT, polling=SECOND)] = float(serial)
        else:
            gone = next(iter(rows))
            bank.remove(gone)
            del rows[gone]
    bank.observe(MIDNIGHT, list(rows), list(rows.values()))
    bank.observe(MIDNIGHT + SECOND, [], [])
    told = {row: bank.outlook(row, MIDNIGHT + SECOND, SECOND).expected for row in rows}
    assert told == rows


def test_row_that_takes_a_free_place_has_seen_nothing() -> None:
    bank = Bank()
    row = bank.add(season=SHORT, polling=SECOND)
    now = live(bank, row, [9.0] * 30)
    bank.remove(row)
    fresh = bank.add(season=SHORT, polling=SECOND)
    assert fresh == row
    assert bank.outlook(fresh, now, SECOND).message == "no sample yet"


def test_samples_of_a_bucket_are_averaged_however_they_arrive() -> None:
    bank = Bank()
    row = bank.add()
    bank.observe(MIDNIGHT + POLL, [row], [2.0])
    bank.observe(MIDNIGHT + 2 * POLL, [row, row], [4.0, 9.0])
    bank.observe(MIDNIGHT + MINUTE, [], [])
    assert bank.outlook(row, MIDNIGHT + MINUTE, MINUTE).expected == pytest.approx(5.0)


def test_late_sample_is_dropped() -> None:
    bank = Bank()
    row = bank.add()
    bank.observe(MIDNIGHT + 2 * MINUTE, [row], [5.0])
    bank.observe(MIDNIGHT, [row], [500.0])
    bank.observe(MIDNIGHT + 3 * MINUTE, [], [])
    assert bank.outlook(row, MIDNIGHT + 3 * MINUTE, MINUTE).expected == pytest.approx(5.0)


def test_rows_begin_anew_after_a_silence_longer_than_memory() -> None:
    bank = Bank()
    row = bank.add(season=SHORT, polling=SECOND)
    now = live(bank, row, [9.0] * 30) + 10 * SHORT
    bank.observe(now, [], [])
    assert bank.outlook(row, now, SECOND).message == "no sample yet"


def test_history_older_than_memory_is_not_worked_in() -> None:
    bank = Bank()
    row = bank.add(season=SHORT, polling=SECOND)
    bank.observe(MIDNIGHT, [], [])
    bank.backfill([row], [(MIDNIGHT - 10 * SHORT).timestamp()], [[5.0]], now=MIDNIGHT)
    assert bank.outlook(row, MIDNIGHT, SECOND).message == "no sample yet"


def test_rows_of_several_rhythms_and_methods_live_side_by_side() -> None:
    bank = Bank()
    rows = [
        bank.add(),
        bank.add(season=SHORT, polling=SECOND),
        bank.add(season=SHORT, polling=SECOND, method=Method.TIME_OF_DAY),
    ]
    times = MIDNIGHT.timestamp() - np.arange(300.0, 0, -1)
    bank.backfill(rows[:1], times, [np.full(300, 1.0)], now=MIDNIGHT)
    bank.backfill(rows, times, np.array([[7.0], [8.0], [9.0]]) * np.ones(300), now=MIDNIGHT)
    told = [bank.outlook(row, MIDNIGHT, 2 * SECOND) for row in rows]
    assert [outlook.expected for outlook in told] == pytest.approx([7.0, 8.0, 9.0], rel=1e-3)
    assert [outlook.method for outlook in told] == ["Mixture", "Mixture", "TimeOfDay"]


@pytest.mark.parametrize(
    "start",
    [
        datetime(2026, 3, 27, tzinfo=UTC),
        datetime(2026, 10, 23, tzinfo=UTC),
        datetime(2026, 2, 26, tzinfo=UTC),
        datetime(2028, 2, 27, tzinfo=UTC),
        datetime(2026, 12, 29, tzinfo=UTC),
    ],
    ids=["to summer time", "to winter time", "end of february", "leap day", "end of year"],
)
def test_calendar_does_not_break_the_season(start: datetime) -> None:
    """A load that follows UTC is forecast alike on every day; a local clock only names moments."""
    bank = Bank()
    row = bank.add(polling=30 * MINUTE)
    days = 4
    times = start.timestamp() + 1800.0 * np.arange(days * 48)
    now = (start + days * DAY).astimezone(ZoneInfo("Europe/Berlin"))
    bank.observe(now, [], [])
    bank.backfill([row], times, [wave(days * 48, 48)], now=now)
    told = bank.outlook(row, now, HOUR)
    assert told.expected == pytest.approx(wave(48, 48)[2], rel=0.05)


def test_load_on_a_local_clock_is_found_again_a_day_after_the_clocks_changed() -> None:
    """An hour of shift: wrong by it on the first day, right again on the second."""
    bank = Bank()
    row = bank.add(polling=30 * MINUTE)
    before, after = wave(4 * 48, 48), wave(3 * 48, 48)
    loads = np.concatenate((before, after[2 : 2 + 2 * 48]))
    times = MIDNIGHT.timestamp() + 1800.0 * np.arange(len(loads))
    now = MIDNIGHT + 6 * DAY
    bank.observe(now, [], [])
    bank.backfill([row], times, [loads], now=now)
    assert bank.outlook(row, now, HOUR).expected == pytest.approx(after[4], rel=0.05)


@pytest.mark.parametrize("season", [DAY, HOUR, 3 * MINUTE, 30 * DAY])
def test_row_stays_small(season: timedelta) -> None:
    rhythm = Rhythm.of(season, SECOND)
    parts = [*Mixture(rhythm, np.full(1, 0.9)).parts, TimeOfDay(rhythm, np.full(1, 0.9)).state]
    sizes = [columns.size_bytes(part) for part in parts]
    assert sum(sizes[:-1]) < 5 * 1024
    assert sizes[-1] < 8 * 1024


def cohorts(bank: Bank) -> list[Cohort]:
    return list(bank._cohorts.values())


@pytest.mark.parametrize(
    ("jump", "lost"),
    [
        (2 * HOUR + MINUTE, "day"),
        (MINUTE, ""),
        (-4 * MINUTE, ""),
        (-7 * MINUTE, "day"),
        (-15 * MINUTE, "day week"),
        (15 * HOUR, "day week"),
    ],
)
def test_rows_are_left_behind_where_time_jumps_further_than_they_can_bridge(
    jump: timedelta, lost: str
) -> None:
    """The buckets of a week have seven minutes: there, none may be lost for a moment's sake."""
    bank = Bank()
    found = {"day": bank.add(season=DAY), "week": bank.add(season=7 * DAY)}
    now = MIDNIGHT + 3 * MINUTE
    bank.observe(now, list(found.values()), [1.0, 1.0])
    assert bank.drop_left_behind(now + jump) == {found[name] for name in lost.split()}


def test_cohort_goes_with_its_last_row() -> None:
    """A policy whose season is changed over and over left one behind each time."""
    bank, row = Bank(), None
    for number in range(1000):
        if row is not None:
            bank.remove(row)
        row = bank.add(season=4 * MINUTE + number * MILLISECOND, polling=SECOND)
    assert [cohort.rhythm.season for cohort in cohorts(bank)] == [4 * MINUTE + 999 * MILLISECOND]


def test_cohort_stays_while_it_has_a_row() -> None:
    bank = Bank()
    gone, stays = (bank.add(season=SHORT, polling=SECOND) for _ in range(2))
    now = live(bank, stays, [9.0] * 30)
    bank.remove(gone)
    bank.observe(now + SECOND, [stays], [9.0])
    assert bank.outlook(stays, now + SECOND, SECOND).expected == pytest.approx(9)


def test_row_of_another_cohort_is_found_after_one_went() -> None:
    bank = Bank()
    gone = bank.add(season=SHORT, polling=SECOND)
    stays = bank.add(season=2 * SHORT, polling=SECOND)
    now = live(bank, stays, [7.0] * 30)
    bank.remove(gone)
    late = bank.add(season=3 * SHORT, polling=SECOND)
    bank.observe(now, [late], [3.0])
    bank.observe(now + SECOND, [], [])
    told = [bank.outlook(row, now + SECOND, SECOND).expected for row in (stays, late)]
    assert told == pytest.approx([7, 3])


def test_reserved_room_is_taken_by_the_rows_that_follow() -> None:
    bank = Bank()
    bank.reserve(100)
    (cohort,) = cohorts(bank)
    for _ in range(100):
        bank.add()
    assert len(cohort) == 100
    bank.reserve(10)
    bank.reserve(5)
    assert len(cohort) == 110
