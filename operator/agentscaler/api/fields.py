"""Kinds of fields shared by the models: how each is read, checked, written and shown in the CRD.

Specs hold no floats: a percentage is "80%" or 80, an amount is a Kubernetes quantity, a time span
is "30s". Models see ratios, floats and `timedelta`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from agentscaler import quantities
from agentscaler.api.rules import Form, Rule, matches, rules

# Bounds that keep the cost of CEL rules within the API server's budget.
MAX_QUERY_LENGTH: Final = 2048
MAX_NAME_LENGTH: Final = 253
MAX_REPLICAS: Final = 100_000


class Model(BaseModel):
    """A part of the resource: camelCase outside, frozen, defaults checked like input."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",  # a newer CRD must not break an older operator
        validate_default=True,
        allow_inf_nan=False,
    )

    def model_post_init(self, _context: object, /) -> None:
        """Share the record of which fields were set with all who set the same ones.

        It is as large as the fields themselves: 2 of the 7 KB that a policy of few words takes.
        """
        fields_set = _shared(frozenset(self.__pydantic_fields_set__))
        object.__setattr__(self, "__pydantic_fields_set__", fields_set)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        copied = super().model_copy(update=update, deep=deep)
        copied.model_post_init(None)
        return copied


@lru_cache(maxsize=4096)
def _shared(names: frozenset[str]) -> set[str]:
    return set(names)


def _is_amount(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def _duration(value: object) -> object:
    return quantities.parse_duration(value) if isinstance(value, str) else value


def _percent(value: Any) -> object:
    return quantities.parse_percent(value) if _is_amount(value) else value


def _quantity(value: Any) -> object:
    return quantities.parse_quantity(value) if _is_amount(value) else value


_DURATION: Final = Rule(
    f"self != '' && {matches(quantities.DURATION_PATTERN)}",
    "write it like 30s, 15m, 1h30m or 8d",
)
_NOT_NOTHING: Final = Rule(matches("[1-9]"), "must be longer than 0s")
_A_SECOND: Final = Rule(
    matches("[1-9][0-9]*([dhs]|m($|[0-9]))|[1-9][0-9]{3,}ms"), "must be at least 1s"
)
_A_MINUTE: Final = Rule(
    matches(
        "[1-9][0-9]*([dh]|m($|[0-9]))|([6-9][0-9]|[1-9][0-9]{2,})s|([6-9][0-9]{4}|[1-9][0-9]{5,})ms"
    ),
    "must be at least 1m",
)
_LOOKAHEAD: Final = Rule(
    f"self == 'Auto' || {matches('[1-9]')} && {matches(quantities.DURATION_PATTERN)}",
    "write Auto, or a time longer than 0s like 30s, 15m or 1h30m",
)


def _time_span(*stated: Rule) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "maxLength": 16, **rules(*stated)})


def _longer_than_nothing(span: timedelta) -> timedelta:
    if span <= timedelta(0):
        raise ValueError(_NOT_NOTHING.sentence)
    return span


def _at_least_a_second(span: timedelta) -> timedelta:
    if span < timedelta(seconds=1):
        raise ValueError(_A_SECOND.sentence)
    return span


def _at_least_a_minute(span: timedelta) -> timedelta:
    if span < timedelta(minutes=1):
        raise ValueError(_A_MINUTE.sentence)
    return span


_TimeSpan = Annotated[
    timedelta, BeforeValidator(_duration), PlainSerializer(quantities.format_duration)
]
Duration = Annotated[_TimeSpan, _time_span(_DURATION)]
"""A time span such as "30s", "15m", "1h30m" or "8d"."""

PositiveDuration = Annotated[
    _TimeSpan, AfterValidator(_longer_than_nothing), _time_span(_DURATION, _NOT_NOTHING)
]
"""A time span longer than "0s"."""

Interval = Annotated[
    _TimeSpan, AfterValidator(_at_least_a_second), _time_span(_DURATION, _A_SECOND)
]
"""A time span of at least "1s"."""

Season = Annotated[_TimeSpan, AfterValidator(_at_least_a_minute), _time_span(_DURATION, _A_MINUTE)]
"""A time span of at least "1m"."""


def _lookahead(value: object) -> object:
    if value == "Auto" or value is None:
        return None
    span = _duration(value)
    if isinstance(span, timedelta) and span <= timedelta(0):
        raise ValueError(_LOOKAHEAD.sentence)
    return span


LookAhead = Annotated[
    timedelta | None,
    BeforeValidator(_lookahead),
    PlainSerializer(lambda span: "Auto" if span is None else quantities.format_duration(span)),
    _time_span(_LOOKAHEAD),
]
"""A time span, or "Auto" (None)."""


def _int_or_string(*stated: Rule, longest: int = 9) -> WithJsonSchema:
    return WithJsonSchema(
        {"x-kubernetes-int-or-string": True, "maxLength": longest, **rules(*stated)}
    )


def _either(number: str, *patterns: str) -> str:
    text = " && ".join(matches(pattern) for pattern in patterns)
    return f"type(self) == int ? {number} : {text}"


# Before Kubernetes 1.35 the cost of a rule on an int-or-string is estimated for a text of 3 MB:
# in a list of ten, a pattern of more than 8 characters is already refused as too costly.
_PERCENT: Final = Rule(
    _either("self >= 0", r"^[\d.]+%") + " && self.endsWith('%')", "write it like 80% or 99.5%"
)
_SHARE: Final = Rule(
    _either("self > 0 && self <= 100", "[1-9]", r"^(100|\d\d?(\.\d+)?)%$"),
    "write a percentage above 0% and at most 100%, like 80%",
)
_WHOLE_SHARE: Final = Rule(
    _either("self > 0 && self <= 100", r"^\d\d?%$") + " && self != '0%' || self == '100%'",
    "write a whole percentage from 1% to 100%, like 80%",
)
_QUANTILE: Final = Rule(
    _either("self > 0 && self < 100", "[1-9]", r"^\d\d?(\.\d+)?%$"),
    "write a percentage above 0% and below 100%, like 95% or 99.9%",
)
_QUANTITY: Final = Rule(
    "type(self) == int ? self > 0 : "
    "isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",
    "write an amount greater than 0, like 20, 0.4, 500m or 2k",
)
_STEP: Final = Rule(
    _either("self >= 0", r"^[\d.]+%?$"),
    "write a number of replicas like 4, or a share like 25%",
)
_SPARE: Final = Rule(
    _either("self >= 0", r"^([\d.]+%?|Auto)$"),
    "write a number of replicas like 2, a share like 25%, or Auto",
)


def _above_zero(value: float) -> float:
    if value <= 0:
        raise ValueError(_QUANTITY.sentence)
    return value


def _share(ratio: float) -> float:
    if not 0 < ratio <= 1:
        raise ValueError(_SHARE.sentence)
    return ratio


def _whole_share(ratio: float) -> float:
    if not 0 < ratio <= 1 or round(ratio * 100, 3) % 1:
        raise ValueError(_WHOLE_SHARE.sentence)
    return ratio


def _open_share(ratio: float) -> float:
    if not 0 < ratio < 1:
        raise ValueError(_QUANTILE.sentence)
    return ratio


_Ratio = Annotated[float, BeforeValidator(_percent), PlainSerializer(quantities.format_percent)]
Percent = Annotated[_Ratio, _int_or_string(_PERCENT)]
"""A percentage, "80%" or 80, held as the ratio 0.8; may exceed "100%"."""

Share = Annotated[_Ratio, AfterValidator(_share), _int_or_string(_SHARE)]
"""A percentage above "0%" and at most "100%"."""

WholeShare = Annotated[_Ratio, AfterValidator(_whole_share), _int_or_string(_WHOLE_SHARE)]
"""A whole percentage from "1%" to "100%": the share whose rule is cheap enough for lists."""

Quantile = Annotated[_Ratio, AfterValidator(_open_share), _int_or_string(_QUANTILE)]
"""A percentage above "0%" and below "100%"."""

Quantity = Annotated[
    float,
    BeforeValidator(_quantity),
    AfterValidator(_above_zero),
    PlainSerializer(quantities.format_quantity),
    _int_or_string(_QUANTITY, longest=20),
]
"""An amount greater than zero, as a Kubernetes quantity."""

Replicas = Annotated[int, Field(ge=0, le=MAX_REPLICAS)]

Query = Annotated[str, StringConstraints(min_length=1, max_length=MAX_QUERY_LENGTH)]
Name = Annotated[
    str,
    StringConstraints(max_length=63),
    Form(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "write a name of lowercase letters, digits and '-', such as open-tickets",
    ),
]
ObjectName = Annotated[
    str,
    StringConstraints(max_length=MAX_NAME_LENGTH),
    Form(
        r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "write the name of an object: lowercase letters, digits, '-' and '.'",
    ),
]
MetricName = Annotated[
    str,
    StringConstraints(max_length=200),
    Form(
        r"^[a-zA-Z_:][a-zA-Z0-9_:]*$",
        "write the bare name of a metric, such as agent_queue_depth; PromQL belongs into query",
    ),
]
Sentence = Annotated[str, StringConstraints(max_length=1024)]


def format_time(at: datetime) -> str:
    """Write a moment as Kubernetes does: UTC, whole seconds, "Z"."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[
    AwareDatetime,
    PlainSerializer(format_time),
    WithJsonSchema({"type": "string", "format": "date-time", "maxLength": 32}),
]
"""A moment that the operator writes."""

_MOMENT: Final = Form(
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?"
    r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$",
    "write a moment with its zone, such as 2026-12-01T00:00:00Z",
)


def _moment(value: object) -> object:
    return _MOMENT.checked(value) if isinstance(value, str) else value


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_moment),
    PlainSerializer(format_time),
    WithJsonSchema({"type": "string", "maxLength": 32, **rules(_MOMENT.rule)}),
]
"""A moment that the user writes."""


class Step(Model):
    """A number of replicas, or a share of the present ones: 4 or "25%"."""

    count: int | None = None
    ratio: float | None = None

    def of(self, replicas: int) -> int:
        """Size this step for a fleet of `replicas`; a share is at least one replica."""
        if self.count is not None:
            return self.count
        # Round up: at 25 %, three replicas would otherwise never change.
        return max(1, -int(-replicas * (self.ratio or 0.0) // 1))


def _step(value: Any) -> object:
    if isinstance(value, str) and not value.isdecimal():
        return Step(ratio=quantities.parse_percent(value))
    if not _is_amount(value):
        return value
    count = int(value)
    if count < 0:
        raise ValueError(_STEP.sentence)
    return Step(count=count)


def _write_step(step: Step) -> str | int:
    if step.count is not None:
        return step.count
    return quantities.format_percent(step.ratio or 0.0)


ReplicaStep = Annotated[
    Step,
    BeforeValidator(_step),
    PlainSerializer(_write_step),
    _int_or_string(_STEP),
]
"""A count of replicas (4) or a share of the present ones ("25%")."""


def _spare(value: Any) -> object:
    if value == "Auto" or value is None:
        return None
    try:
        return _step(value)
    except ValueError:
        raise ValueError(_SPARE.sentence) from None


Spare = Annotated[
    Step | None,
    BeforeValidator(_spare),
    PlainSerializer(lambda step: "Auto" if step is None else _write_step(step)),
    _int_or_string(_SPARE),
]
"""A count of replicas (2), a share of the needed ones ("25%"), or "Auto", which is None."""
