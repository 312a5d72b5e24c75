"""Kinds of fields shared by the models: how each is read, checked, written and shown in the CRD.

Specs hold no floats: a percentage is "80%" or 80, an amount is a Kubernetes quantity, a time span
is "30s". Models see ratios, floats and `timedelta`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from agentscaler import quantities

# Bounds that keep the cost of CEL rules within the API server's budget.
MAX_QUERY_LENGTH: Final = 2048
MAX_NAME_LENGTH: Final = 253


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


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Give CEL rules (expression, message) in the form the CRD carries them."""
    listed = [{"rule": rule, "message": message} for rule, message in pairs]
    return {"x-kubernetes-validations": listed}


def listed_by(key: str, *, most: int) -> Any:
    """Make a list a map keyed by `key` for the API server: unique keys, merged item by item."""
    return WithListType(
        {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}, most
    )


class WithListType:
    """Add list semantics and a length limit to a list field's schema."""

    def __init__(self, extra: Mapping[str, Any], most: int) -> None:
        self._extra = {**extra, "maxItems": most}

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return {**handler(core), **self._extra}


def _duration(value: object) -> object:
    return quantities.parse_duration(value) if isinstance(value, str) else value


def _percent(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return quantities.parse_percent(value)
    return value


def _quantity(value: object) -> object:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return quantities.parse_quantity(value)
    return value


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError("must be greater than 0")
    return value


def _positive_span(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than 0s")
    return value


_DURATION_SCHEMA = WithJsonSchema(
    {"type": "string", "minLength": 2, "maxLength": 16, "pattern": quantities.DURATION_PATTERN}
)

Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(quantities.format_duration),
    _DURATION_SCHEMA,
]
"""A time span such as "30s", "15m", "1h30m" or "8d"."""

PositiveDuration = Annotated[Duration, AfterValidator(_positive_span)]

LookAhead = Annotated[
    timedelta | None,
    BeforeValidator(lambda value: None if value == "Auto" else _duration(value)),
    PlainSerializer(lambda span: "Auto" if span is None else quantities.format_duration(span)),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 2,
            "maxLength": 16,
            "pattern": "^Auto$|" + quantities.DURATION_PATTERN,
        }
    ),
]
"""A time span, or "Auto" (None)."""

Percent = Annotated[
    float,
    BeforeValidator(_percent),
    PlainSerializer(quantities.format_percent),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "maxLength": 9,
            "pattern": quantities.PERCENT_PATTERN,
        }
    ),
]
"""A percentage, "80%" or 80, held as the ratio 0.8."""

Quantity = Annotated[
    float,
    BeforeValidator(_quantity),
    AfterValidator(_positive),
    PlainSerializer(quantities.format_quantity),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "maxLength": 20,
            "pattern": quantities.QUANTITY_PATTERN,
        }
    ),
]
"""An amount greater than zero, as a Kubernetes quantity."""

Query = Annotated[str, StringConstraints(min_length=1, max_length=MAX_QUERY_LENGTH)]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
ObjectName = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME_LENGTH)]
MetricName = Annotated[
    str, StringConstraints(max_length=200, pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")
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


def _step(value: object) -> object:
    if isinstance(value, str):
        if value.isdigit():
            return Step(count=int(value))
        return Step(ratio=quantities.parse_percent(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return Step(count=value)
    return value


def _write_step(step: Step) -> str | int:
    if step.count is not None:
        return step.count
    return quantities.format_percent(step.ratio or 0.0)


ReplicaStep = Annotated[
    Step,
    BeforeValidator(_step),
    PlainSerializer(_write_step),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "maxLength": 9,
            "pattern": r"^[0-9]{1,5}$|" + quantities.PERCENT_PATTERN,
        }
    ),
]
"""A count of replicas (4) or a share of the present ones ("25%")."""
