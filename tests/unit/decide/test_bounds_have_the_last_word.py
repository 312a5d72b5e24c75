"""minReplicas and maxReplicas, schedules with time zones, overrides that expire."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentscaler.api.schedules import Schedule
from agentscaler.decide import schedules
from agentscaler.decide.bounds import Bounds, bounds_at
from agentscaler.decide.engine import decide
from tests.unit.decide.worlds import NOON, OLD, UNKNOWN, policy, seen

OFFICE = {
    "name": "office",
    "timezone": "Europe/Berlin",
    "start": "0 7 * * 1-5",
    "end": "0 20 * * 1-5",
    "minReplicas": 5,
}
NEVER, DAILY = "0 0 */31 * 1#5", "0 7 * * *"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def limits(now: datetime, **spec: Any) -> tuple[int, int]:
    found = bounds_at(policy(**{"minReplicas": 2, "maxReplicas": 10, **spec}), now)
    return found.low, found.high


def test_maximum_is_named_with_what_would_be_without() -> None:
    decision = decide(policy(maxReplicas=6), seen(active_requests=40.0), OLD)
    assert (decision.replicas, decision.reason) == (6, "AtMaximum")
    assert decision.hint == "would be 8 without maxReplicas"


def test_minimum_raises_an_idle_fleet() -> None:
    decision = decide(policy(minReplicas=6), seen(), OLD)
    assert (decision.replicas, decision.reason) == (6, "AtMinimum")


def test_bounds_hold_even_without_metrics() -> None:
    dark = seen(replicas=20, active_requests=UNKNOWN)
    assert decide(policy(maxReplicas=10), dark, OLD).replicas == 10


@pytest.mark.parametrize(("start", "end", "holds"), [(NEVER, DAILY, False), (DAILY, NEVER, True)])
def test_time_that_never_came_breaks_no_decision(start: str, end: str, holds: bool) -> None:
    """The model refuses it; should one get through, the policy is decided on all the same."""
    schedule = Schedule.model_construct(name="odd", timezone="UTC", start=start, end=end)
    assert schedules.in_force((schedule,), NOON) == ((schedule,) if holds else ())


@pytest.mark.parametrize(
    ("moment", "low"),
    [
        ("2026-03-02T05:59", 2),
        ("2026-03-02T06:00", 5),  # 07:00 in Berlin, winter
        ("2026-03-02T18:59", 5),
        ("2026-03-02T19:00", 2),
        ("2026-03-07T12:00", 2),  # Saturday
        ("2026-03-30T05:00", 5),  # 07:00 in Berlin, summer
        ("2026-03-30T18:00", 2),
    ],
)
def test_schedule_follows_its_time_zone(moment: str, low: int) -> None:
    assert limits(at(moment), schedules=[OFFICE]) == (low, 10)


def test_highest_bounds_of_several_schedules_win() -> None:
    night = {"name": "night", "start": "0 0 * * *", "end": "0 23 * * *"}
    both = [
        {**night, "minReplicas": 3, "maxReplicas": 4},
        {**night, "name": "more", "minReplicas": 1, "maxReplicas": 6},
    ]
    assert limits(NOON, schedules=both) == (3, 6)


def test_schedule_may_lower_the_maximum_below_the_minimum() -> None:
    quiet = {"name": "quiet", "start": "0 0 * * *", "end": "0 23 * * *", "maxReplicas": 1}
    assert limits(NOON, schedules=[quiet]) == (1, 1)


def test_schedule_may_raise_the_minimum_above_the_maximum() -> None:
    rush = {"name": "rush", "start": "0 0 * * *", "end": "0 23 * * *", "minReplicas": 30}
    assert limits(NOON, schedules=[rush]) == (30, 30)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ({"replicas": 7}, (7, 7)),
        ({"minReplicas": 8}, (8, 10)),
        ({"maxReplicas": 3}, (2, 3)),
        ({"minReplicas": 20}, (20, 20)),
        ({"maxReplicas": 1}, (1, 1)),
        ({"minReplicas": 4, "maxReplicas": 6}, (4, 6)),
    ],
    ids=["exact", "min", "max", "min above max", "max below min", "both"],
)
def test_override_beats_bounds(override: dict[str, Any], expected: tuple[int, int]) -> None:
    until = (NOON + timedelta(hours=1)).isoformat()
    assert limits(NOON, override={**override, "until": until}) == expected


def test_override_beats_schedules() -> None:
    override = {"maxReplicas": 3, "until": "2026-03-02T13:00:00Z", "reason": "launch"}
    found = bounds_at(policy(schedules=[OFFICE], override=override), NOON)
    assert found == Bounds(3, 3, "override (launch)", "override (launch)")


def test_override_ends_by_itself() -> None:
    override = {"replicas": 7, "until": "2026-03-02T12:00:00Z"}
    assert limits(NOON - timedelta(seconds=1), override=override) == (7, 7)
    assert limits(NOON, override=override) == (2, 10)


def test_override_without_a_reason_is_named_as_such() -> None:
    override = {"replicas": 7, "until": "2026-03-03T12:00:00Z"}
    assert "override asks for at least 7" in decide(policy(override=override), seen(), OLD).message


@pytest.mark.parametrize("at_bound", ["minReplicas", "maxReplicas"])
def test_bound_that_is_just_met_is_not_spoken_of(at_bound: str) -> None:
    decision = decide(policy(**{at_bound: 4}), seen(active_requests=16.0, wait=0.0), OLD)
    assert decision.replicas == 4
    assert "bounds" not in [step.name for step in decision.steps]


def test_bounds_that_a_schedule_makes_equal_keep_their_own_names() -> None:
    quiet = {"name": "quiet", "start": "0 0 * * *", "end": "0 23 * * *", "maxReplicas": 4}
    found = bounds_at(policy(minReplicas=4, schedules=[quiet]), NOON)
    assert found == Bounds(4, 4, "minReplicas", "schedule quiet")


def test_schedule_that_begins_and_ends_at_once_is_never_in_force() -> None:
    never = {"name": "never", "start": "0 7 * * *", "end": "0 7 * * *", "minReplicas": 5}
    assert limits(at("2026-03-02T07:00"), schedules=[never]) == (2, 10)
    assert limits(NOON, schedules=[never]) == (2, 10)
