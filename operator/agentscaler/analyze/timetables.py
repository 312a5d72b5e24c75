"""Pitfalls of bounds that hold for a time: what is over, and what contradicts. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice, permutations, takewhile
from operator import ge
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from agentscaler.api.policy import PolicySpec
from agentscaler.api.problems import Problem
from agentscaler.api.schedules import Schedule
from agentscaler.decide import schedules

# Long enough for every weekly pattern; a start each minute would make 11,520 of them.
_AHEAD: Final = timedelta(days=8)
_MOST_STARTS: Final = 200


def past_override(spec: PolicySpec, now: datetime) -> Iterator[Problem]:
    """Find an override that is over."""
    if spec.override is not None and spec.override.until <= now:
        yield Problem(
            ("spec", "override", "until"), "is in the past: remove the override, or set a later end"
        )


def outside_bounds(spec: PolicySpec, _now: datetime) -> Iterator[Problem]:
    """Find a bound beyond the policy's opposite one, which leaves exactly one count."""
    for index, schedule in enumerate(spec.schedules):
        low, high = schedule.min_replicas, schedule.max_replicas
        if high is None and low is not None and low > spec.max_replicas:
            yield Problem(
                ("spec", "schedules", index, "minReplicas"),
                f"{low} is above the policy's maxReplicas ({spec.max_replicas}): meanwhile exactly "
                f"{low} replicas run; give the schedule a maxReplicas too",
            )
        if low is None and high is not None and high < spec.min_replicas:
            yield Problem(
                ("spec", "schedules", index, "maxReplicas"),
                f"{high} is below the policy's minReplicas ({spec.min_replicas}): meanwhile "
                f"exactly {high} replicas run; give the schedule a minReplicas too",
            )


def crossing_schedules(spec: PolicySpec, now: datetime) -> Iterator[Problem]:
    """Find two schedules in force at once of which one asks for more than the other allows."""
    met: set[tuple[str, str]] = set()
    for start in sorted(_starts(spec.schedules, now)):
        active = schedules.in_force(spec.schedules, start)
        met |= {(one.name, other.name) for one, other in permutations(active, 2)}
    for index, one in enumerate(spec.schedules):
        for other in spec.schedules:
            if (one.name, other.name) in met and _cross(one, other):
                yield Problem(
                    ("spec", "schedules", index, "minReplicas"),
                    f"is above maxReplicas of schedule {other.name}, which is in force at the same "
                    f"time: {one.min_replicas} wins; let one end before the other starts",
                )


def _cross(one: Schedule, other: Schedule) -> bool:
    low, high = one.min_replicas, other.max_replicas
    return low is not None and high is not None and low > high


def _starts(timetable: tuple[Schedule, ...], now: datetime) -> Iterator[datetime]:
    for schedule in timetable:
        local = now.astimezone(ZoneInfo(schedule.timezone))
        soon = takewhile(partial(ge, local + _AHEAD), CronSim(schedule.start, local))
        for start in islice(soon, _MOST_STARTS):
            yield start.astimezone(UTC)


CHECKS: Final = (past_override, outside_bounds, crossing_schedules)
