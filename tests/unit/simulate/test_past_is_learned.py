"""A past from what was recorded: as much work as there was, and honest about what was assumed."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentscaler.errors import UsageError
from agentscaler.simulate import past
from agentscaler.simulate.past import MINUTE, UNKNOWN_SERVICE, USUAL_START, Past, Recording

START = 1_700_000_040.0
HOURS = 6
NONE = np.full(HOURS * 60, np.nan)
RECORDED = Recording(
    start=START,
    step=MINUTE,
    active=np.full(HOURS * 60, 6.0),
    queued=np.zeros(HOURS * 60),
    arriving=np.full(HOURS * 60, 0.5),
    ending=np.full(HOURS * 60, 0.5),
    capacity=np.full(HOURS * 60, 12.0),
    asked=np.full(HOURS * 60, 3.0),
    ready=np.full(HOURS * 60, 3.0),
)


def learned(seen: Recording = RECORDED, **given: float) -> Past:
    plain = {"slots": None, "service": None, "start_up": None} | given
    return past.of_recording(seen, seed=1, **plain)  # type: ignore[arg-type]


def test_as_many_requests_come_as_were_counted() -> None:
    found = learned()
    assert len(found.at) == 0.5 * HOURS * 3600
    assert (np.diff(found.at) >= 0).all()
    assert (found.start, found.end) == (START, START + HOURS * 3600)
    assert (found.at.min() >= found.start, found.at.max() < found.end) == (True, True)


def test_time_of_service_is_busy_slots_over_ends() -> None:
    assert learned().work.mean() == pytest.approx(12.0, rel=0.05)


def test_time_of_service_changes_with_the_hours() -> None:
    slower = RECORDED.active.copy()
    slower[180:] = 12.0
    found = learned(replace(RECORDED, active=slower))
    late = found.at > START + 4 * 3600
    early = found.at < START + 2 * 3600
    assert found.work[early].mean() == pytest.approx(12.0, rel=0.1)
    assert found.work[late].mean() == pytest.approx(24.0, rel=0.1)


def test_slots_are_capacity_over_ready_replicas() -> None:
    assert learned().slots == 4


def test_what_is_given_beats_what_was_recorded() -> None:
    found = learned(slots=2, service=30.0, start_up=45.0)
    assert (found.slots, found.start_up) == (2, 45.0)
    assert found.work.mean() == pytest.approx(30.0, rel=0.05)
    assert sum("as given" in remark for remark in found.remarks) == 3


@pytest.mark.parametrize(
    "unrecorded",
    [{"arriving": NONE}, {"arriving": NONE, "ending": NONE}],
    ids=["no arrivals", "no arrivals and no ends"],
)
def test_work_is_as_much_when_arrivals_were_not_counted(unrecorded: dict[str, Any]) -> None:
    found = learned(replace(RECORDED, **unrecorded))
    assert found.work.sum() == pytest.approx(6.0 * HOURS * 3600, rel=0.05)


def test_unknown_time_of_service_is_assumed_and_said() -> None:
    found = learned(replace(RECORDED, ending=NONE))
    assert any(f"{UNKNOWN_SERVICE:g}s, which nothing tells" in remark for remark in found.remarks)


def test_start_is_learned_from_the_replicas_that_were_starting() -> None:
    asked, ready = RECORDED.asked.copy(), RECORDED.ready.copy()
    for step in range(30, 330, 30):  # ten starts of 40 s each, then the replica goes again
        asked[step : step + 10] += 1
        ready[step + 1 : step + 10] += 1
        ready[step] += 20 / 60
    found = learned(replace(RECORDED, asked=asked, ready=ready))
    assert found.start_up == pytest.approx(40 * 0.915)


def test_start_is_the_usual_one_where_too_few_were_seen() -> None:
    assert learned().start_up == USUAL_START


def test_replicas_change_when_they_changed() -> None:
    asked = RECORDED.asked.copy()
    asked[60:] = 5
    found = learned(replace(RECORDED, asked=asked))
    assert found.replicas == ((START, 3), (START + 3600, 5))


def test_gap_is_known_and_load_goes_on_in_it() -> None:
    rows = {}
    for name in ("active", "queued", "arriving", "ending"):
        rows[name] = getattr(RECORDED, name).copy()
        rows[name][120:180] = np.nan
    found = learned(replace(RECORDED, **rows))
    assert found.gaps == ((START + 7200, START + 10_800),)
    assert found.unknown_share == pytest.approx(1 / 6)
    assert (found.is_gap(START + 7199), found.is_gap(START + 7200)) == (False, True)
    inside = (found.at >= START + 7200) & (found.at < START + 10_800)
    assert inside.sum() == 1800


def test_past_without_any_load_is_refused() -> None:
    with pytest.raises(UsageError, match="were not recorded in this time"):
        learned(replace(RECORDED, queued=NONE))


def test_unknown_slots_are_refused() -> None:
    with pytest.raises(UsageError, match="give --slots"):
        learned(replace(RECORDED, capacity=NONE))


def test_part_of_a_past_knows_what_was_before() -> None:
    found = learned()
    part = found.cut(START + 3600, START + 7200)
    times, loads = part.history()
    assert len(times) == 60
    assert set(loads) == {6.0}
    assert part.replicas == ((START + 3600, 3),)
    assert (part.at.min() >= part.start, part.at.max() < part.end) == (True, True)
    assert len(found.history()[0]) == 0


def test_further_readings_are_those_of_their_minute() -> None:
    row = np.arange(HOURS * 60, dtype=np.float64)
    row[2] = math.nan
    found = learned(replace(RECORDED, further={"metrics.tickets": row}))
    assert found.readings(START + 61) == {"metrics.tickets": 1.0}
    assert found.readings(START + 121) == {"metrics.tickets": None}
    assert found.cut(START + 3600, START + 7200).readings(START + 3600) == {"metrics.tickets": 60.0}


def test_trace_is_a_past(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("t_s,service_s\n0,10\n5,10\n130,4\n")
    found = past.of_trace(file, slots=4, start=START, start_up=30, seed=1)
    assert (found.start, found.end) == (START, START + 180)
    assert found.at.tolist() == [START, START + 5, START + 130]
    assert found.work.tolist() == [10, 10, 4]
    assert found.loads.tolist() == [0, 0, 0]  # none is in service in the middle of a minute


def test_trace_without_requests_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("t_s,service_s\n")
    with pytest.raises(UsageError, match="has no requests"):
        past.of_trace(file, slots=4, start_up=30, seed=1)
