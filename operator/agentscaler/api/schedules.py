"""Bounds for a time: recurring hours, and an override that ends by itself."""

from calendar import monthrange
from datetime import date, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from agentscaler.api.fields import Model, Moment, Name, Replicas
from agentscaler.api.rules import Form, Rule, rules

_SOME_DAY: Final = datetime(2024, 1, 1)  # noqa: DTZ001  cron expressions speak of local time


_COMMON, _LEAP = 2023, 2024
# A month is of one of 28 kinds, by its length and the weekday of its first day: all days there are.
_KINDS: Final = {
    monthrange(year, month): (year, month) for year in range(2000, 2028) for month in range(1, 13)
}
_DAYS: Final = tuple(
    (length, date(*month, day))
    for (_, length), month in _KINDS.items()
    for day in range(1, length + 1)
)


def _cron(text: str) -> str:
    try:
        times = CronSim(text, _SOME_DAY)
    except CronSimError as exc:
        said = str(exc).lower()
        raise ValueError(f"{said}: {_FIVE_FIELDS.sentence}") from exc
    if not _comes(times):
        raise ValueError(
            f"{text!r} never comes: write days of the month and of the week that fall together, "
            "or leave one of them open with '*'"
        )
    return text


def _comes(times: CronSim) -> bool:
    """Tell whether any day is meant: half a millisecond, where a walk over the years takes 50."""
    lengths = {monthrange(year, month)[1] for year in (_COMMON, _LEAP) for month in times.months}
    return any(length in lengths and times.match_day(day) for length, day in _DAYS)


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:  # OSError: "Europe" is a folder
        raise ValueError(f"{text!r} is no time zone: {_ZONE.sentence}") from exc
    return text


_FIVE_FIELDS: Final = Form(
    r"^\S+( +\S+){4}$",
    "write five fields, minute hour day month weekday, such as '0 7 * * 1-5'",
)
_ZONE: Final = Form(
    r"^[A-Za-z][-+_A-Za-z0-9]*(/[-+_A-Za-z0-9]+)*$",
    "write a name of the IANA list, such as Europe/Berlin",
)
Cron = Annotated[str, Field(max_length=100), _FIVE_FIELDS, AfterValidator(_cron)]
TimeZone = Annotated[str, Field(max_length=64), _ZONE, AfterValidator(_time_zone)]

_IN_ORDER: Final = Rule(
    "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
    "minReplicas must not exceed maxReplicas: lower minReplicas or raise maxReplicas",
    field="minReplicas",
)
_BOUNDED: Final = Rule(
    "has(self.minReplicas) || has(self.maxReplicas)",
    "a schedule needs minReplicas, maxReplicas or both",
)
_ONE_FORM: Final = Rule(
    "has(self.replicas) != (has(self.minReplicas) || has(self.maxReplicas))",
    "an override sets either replicas, or minReplicas and maxReplicas (one or both)",
)


class Bounds(Model):
    """Other bounds than those of the policy; what is not given stays as it is."""

    min_replicas: Replicas | None = Field(None, description="Lower bound meanwhile.")
    max_replicas: Replicas | None = Field(None, description="Upper bound meanwhile.")

    @property
    def is_given(self) -> bool:
        """Tell whether one of the two is given."""
        return self.min_replicas is not None or self.max_replicas is not None

    @model_validator(mode="after")
    def _in_order(self) -> "Bounds":
        low, high = self.min_replicas, self.max_replicas
        if low is not None and high is not None and low > high:
            raise ValueError(_IN_ORDER.sentence)
        return self


class Schedule(Bounds):
    """Other bounds during recurring hours."""

    model_config = ConfigDict(json_schema_extra=rules(_BOUNDED, _IN_ORDER))

    name: Name = Field(description="Name by which decisions speak of it; unique in the policy.")
    timezone: TimeZone = Field(
        "UTC", description="Time zone of `start` and `end`, such as Europe/Berlin."
    )
    start: Cron = Field(description="When it begins, as a cron expression: '0 7 * * 1-5'.")
    end: Cron = Field(description="When it ends, as a cron expression: '0 20 * * 1-5'.")

    @model_validator(mode="after")
    def _bounded(self) -> "Schedule":
        if not self.is_given:
            raise ValueError(_BOUNDED.sentence)
        return self


class Override(Bounds):
    """Other bounds until a moment in time; it ends by itself and beats schedules."""

    model_config = ConfigDict(json_schema_extra=rules(_ONE_FORM, _IN_ORDER))

    replicas: Replicas | None = Field(None, description="Exactly this many replicas meanwhile.")
    until: Moment = Field(description="When it ends, such as 2026-12-01T00:00:00Z.")
    reason: Annotated[str, Field(max_length=256)] = Field(
        "", description="Why, for those who read the decision."
    )

    @model_validator(mode="after")
    def _one_form(self) -> "Override":
        if (self.replicas is not None) == self.is_given:
            raise ValueError(_ONE_FORM.sentence)
        return self
