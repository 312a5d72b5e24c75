"""Recurring hours: which schedules are in force at a moment, in their own time zones."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from agentscaler.api.schedules import Schedule

MINUTE = timedelta(minutes=1)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def in_force(schedules: tuple[Schedule, ...], now: datetime) -> tuple[Schedule, ...]:
    """Give the schedules whose last start is later than their last end."""
    minute = now.replace(second=0, microsecond=0)
    return tuple(
        schedule
        for schedule in schedules
        if _is_on(schedule.start, schedule.end, schedule.timezone, minute)
    )


# Cron speaks of whole minutes, so one answer serves all decisions of a minute.
@lru_cache(maxsize=8192)
def _is_on(start: str, end: str, timezone: str, minute: datetime) -> bool:
    local = minute.astimezone(ZoneInfo(timezone))
    return _last(start, local) > _last(end, local)


def _last(expression: str, local: datetime) -> datetime:
    """Give the last time the expression matched, this minute included; long ago if it never did."""
    return next(CronSim(expression, local + MINUTE, reverse=True), _NEVER)
