"""What the operator writes back: figures, the decision and its steps, history, conditions.

The status is also the operator's only store. Whatever must survive a restart or a change of leader
is here: the times of the last scalings, what was learned, and the history.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from math import isfinite
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from agentscaler.api.fields import Model, Timestamp
from agentscaler.api.rules import listed_by
from agentscaler.quantities import parse_duration

MAX_LINE: Final = 512
MAX_DRAINING: Final = 64
MAX_RECOMMENDATIONS: Final = 8


def _cut(length: int) -> BeforeValidator:
    """Shorten texts instead of refusing them: no message may keep a status from being written."""

    def cut(value: object) -> object:
        return (
            f"{value[: length - 1]}…" if isinstance(value, str) and len(value) > length else value
        )

    return BeforeValidator(cut)


def _figure(text: str) -> str:
    if text and not isfinite(float(text)):
        raise ValueError(f"{text!r} is no number")
    return text


Sentence = Annotated[str, _cut(1024), Field(max_length=1024)]
Line = Annotated[str, _cut(MAX_LINE), Field(max_length=MAX_LINE)]
ShortText = Annotated[str, _cut(128), Field(max_length=128)]
Amount = Annotated[str, _cut(32), Field(max_length=32)]
Figure = Annotated[str, AfterValidator(_figure), Field(max_length=32)]
"""A number as text, read back as a number after a restart; empty where it is not known."""


def _span(text: str) -> str:
    if text:
        parse_duration(text)
    return text


Span = Annotated[str, AfterValidator(_span), Field(max_length=32)]
"""A time span as text, read back after a restart; empty where it is not known."""


class ConditionType(StrEnum):
    """What a condition is about."""

    READY = "Ready"
    METRICS_AVAILABLE = "MetricsAvailable"
    SCALING_ACTIVE = "ScalingActive"
    SCALING_LIMITED = "ScalingLimited"
    FORECAST_TRUSTED = "ForecastTrusted"
    REPLICAS_CONTESTED = "ReplicasContested"
    CONFLICT = "Conflict"


class ConditionStatus(StrEnum):
    """Whether it holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Outcome(StrEnum):
    """What became of a scaling event."""

    PENDING = "Pending"
    APPLIED = "Applied"
    RECOMMENDED = "Recommended"
    FAILED = "Failed"


class _Part(Model):
    """A part of a status.

    All parts of a kind share one record of which fields were set. Nobody asks for it here, and it
    is as large as the part itself: without that, a status with 20 events takes 50 KB, not 27.
    """

    def model_post_init(self, _context: object, /) -> None:
        object.__setattr__(self, "__pydantic_fields_set__", _names_of(type(self)))


@cache
def _names_of(part: type[Model]) -> set[str]:
    return set(part.model_fields)


class Condition(_Part):
    """One aspect of the policy's health, in the common form of Kubernetes."""

    type: ConditionType = Field(description="What it is about.")
    status: ConditionStatus = Field(description="Whether it holds: True, False or Unknown.")
    reason: ShortText = Field(description="Why, for machines.")
    message: Sentence = Field("", description="Why, for people, with what to do about it.")
    last_transition_time: Timestamp = Field(description="When `status` last changed.")
    observed_generation: int = Field(0, description="Generation of the spec it speaks of.")


class StepStatus(_Part):
    """What one stage of the decision did."""

    name: ShortText = Field(description="Name of the stage.")
    before: int = Field(description="Replicas wanted before the stage.")
    after: int = Field(description="Replicas wanted after it.")
    reason: ShortText = Field("", description="Why, for machines.")
    message: Sentence = Field("", description="Why, for people.")


class DecisionStatus(_Part):
    """The decision in force."""

    since: Timestamp = Field(
        description="When it was first taken: count and reason are the same ever since."
    )
    reason: ShortText = Field(description="What bound it, for machines.")
    message: Sentence = Field(description="What was decided and why.")
    hint: Sentence = Field("", description="What would change the answer.")
    steps: Annotated[tuple[StepStatus, ...], Field(max_length=20)] = Field(
        (), description="The stages that had a say, in their order."
    )


class ForecastStatus(_Part):
    """What the forecast says of the time when a replica asked for now would be ready."""

    method: ShortText = Field("", description="How it was made.")
    lookahead: Amount = Field("", description="How far ahead.")
    expected: Figure = Field("", description="Load expected, in slots.")
    upper: Figure = Field("", description="Load not exceeded at the policy's quantile, in slots.")
    trusted: bool = Field(description="Whether it may raise the count.")
    message: Sentence = Field("", description="Why it is trusted or not.")


class CeilingStatus(_Part):
    """The replicas whose calls a provider is known to take."""

    provider: ShortText = Field(description="Name of the provider.")
    replicas: Annotated[int, Field(ge=1)] = Field(description="Most replicas to be asked for.")
    step: Annotated[int, Field(ge=1)] = Field(
        description="By how many it is raised, each minute in which few calls are refused."
    )
    since: Timestamp = Field(description="When it was last moved.")


class BudgetStatus(_Part):
    """What the replicas cost in the present window."""

    since: Timestamp = Field(description="Begin of the window.")
    as_of: Timestamp = Field(description="Moment up to which the cost is counted.")
    replica_hours: Figure = Field("", description="Replica-hours of the window so far.")
    spent: Amount = Field("", description="What they cost.")
    projected: Amount = Field(
        "", description="What will be spent at the end of the window if the count stays."
    )


class PhantomStatus(_Part):
    """Requests in service that do not count, for nothing has moved them for too long."""

    requests: Figure = Field("", description="How many.")
    since: Timestamp = Field(description="When they were first seen.")


class LimitsStatus(_Part):
    """What is known of the limits of the fleet."""

    ceilings: Annotated[tuple[CeilingStatus, ...], listed_by("provider", most=5)] = Field(
        (), description="Ceilings that were learned from the refusals of providers."
    )
    budget: BudgetStatus | None = Field(None, description="Spend of the present window.")
    phantom: PhantomStatus | None = Field(
        None, description="Requests that are taken for a counter that never falls."
    )


class ScalingEvent(_Part):
    """One change of the number of replicas."""

    id: ShortText = Field(description="Identity of the decision, as in logs and Events.")
    time: Timestamp = Field(description="When it was decided.")
    from_: int = Field(alias="from", description="Replicas before.")
    to: int = Field(description="Replicas after.")
    reason: ShortText = Field(description="What bound the decision, for machines.")
    message: Sentence = Field(description="Why, for people.")
    signals: Line = Field("", description="The readings it was based on, as `name=value` pairs.")
    outcome: Outcome = Field(
        description="Pending (recorded, about to be applied), Applied, Recommended (mode "
        "Recommend) or Failed.",
    )
    failure: Line = Field("", description="Why it failed; empty otherwise.")


class CandidateStatus(_Part):
    """What the candidate would do, and how it compares so far with what is done."""

    since: Timestamp = Field(description="When it began, with the fleet there was.")
    desired_replicas: int = Field(description="Replicas that it asks for.")
    reason: ShortText = Field("", description="What bound its decision, for machines.")
    message: Sentence = Field("", description="What it decided and why.")
    replica_hours: Figure = Field("", description="Replica-hours that it would have cost.")
    active_replica_hours: Figure = Field("", description="Replica-hours of the real fleet.")
    waiting: Span = Field(
        "", description="Time in which there was more work than its replicas could serve."
    )
    active_waiting: Span = Field("", description="Time in which requests really waited.")


class Bottleneck(StrEnum):
    """What holds an agent back; NONE: nothing does."""

    PROVIDER_LIMIT = "ProviderLimit"
    CLUSTER_FULL = "ClusterFull"
    REPLICAS_STARTING = "ReplicasStarting"
    REPLICAS_UNREADY = "ReplicasUnready"
    REPLICAS = "Replicas"
    COMPUTE = "Compute"
    SLOW_OPERATION = "SlowOperation"
    UNEVEN_LOAD = "UnevenLoad"
    NONE = "None"
    UNKNOWN = "Unknown"


class BottleneckStatus(_Part):
    """What held the agent back when the operator last looked, at most a minute before."""

    verdict: ShortText = Field(description="What holds it back, for machines.")
    replicas_help: ShortText = Field(
        "", description="Whether more replicas would help: Yes, No, Wait, NotNeeded or Unknown."
    )
    message: Sentence = Field("", description="The same, for people.")
    recommendations: Annotated[tuple[Line, ...], Field(max_length=MAX_RECOMMENDATIONS)] = Field(
        (), description="What would help, most pressing first."
    )


class PolicyStatus(_Part):
    """State of the policy as the operator last saw and decided it."""

    # Readings are maps of text, as the capacity of a node is: `kubectl describe` shows them one a
    # line, and a patch carries only those that changed.

    observed_generation: int = Field(0, description="Generation of the spec that it speaks of.")
    mode: ShortText = Field("", description="Mode in force.")
    reason: ShortText = Field(
        "",
        description="What matters most now, for machines: what is wrong, else what bound the "
        "decision.",
    )
    message: Sentence = Field("", description="The same, for people.")
    target: Annotated[str, _cut(320), Field(max_length=320)] = Field(
        "", description="Kind and name of the target."
    )
    current_replicas: int | None = Field(None, description="Replicas the target asks for.")
    ready_replicas: int | None = Field(None, description="Replicas that are ready to serve.")
    desired_replicas: int | None = Field(None, description="Replicas that were decided.")
    last_scale_up_time: Timestamp | None = Field(None, description="When replicas were last added.")
    last_scale_down_time: Timestamp | None = Field(
        None, description="When replicas were last removed."
    )
    last_update_time: Timestamp | None = Field(
        None,
        description="When the figures and sentences here were taken. Those that merely fluctuate "
        "are refreshed every five minutes.",
    )
    lead_time: Amount = Field(
        "", description="Time that replicas needed from being asked for to being ready."
    )
    slots_per_replica: Figure = Field(
        "", description="Requests that one replica serves at once, as last seen."
    )
    reserve: Figure = Field(
        "",
        description="Room above the load that the wait target was found to need, in square roots "
        "of the load.",
    )
    decision: DecisionStatus | None = Field(None, description="The decision and why.")
    forecast: ForecastStatus | None = Field(None, description="What is expected.")
    candidate: CandidateStatus | None = Field(
        None, description="What the candidate would do; it is never acted on."
    )
    limits: LimitsStatus | None = Field(None, description="What is known of the limits.")
    bottleneck: BottleneckStatus | None = Field(
        None, description="What holds the agent back, and whether replicas would help."
    )
    signals: Annotated[Mapping[str, Amount], Field(max_length=64)] = Field(
        {},
        description="What was read for the decision, by the name of the signal, `metric/NAME`, "
        "`gate/NAME` or `provider/NAME`.",
    )
    missing: Annotated[Mapping[str, Line], Field(max_length=64)] = Field(
        {}, description="What could not be read, by the same names, and why."
    )
    draining: Annotated[tuple[ShortText, ...], Field(max_length=MAX_DRAINING)] = Field(
        (), description="Pods that were chosen to go, until they are gone or serve again."
    )
    conditions: Annotated[tuple[Condition, ...], listed_by("type", most=16)] = Field(
        (), description="Aspects of the policy's health."
    )
    history: Annotated[tuple[ScalingEvent, ...], Field(max_length=100)] = Field(
        (), description="Scaling events, newest first."
    )
    story: Annotated[tuple[Line, ...], Field(max_length=32)] = Field(
        (),
        description="All of this as a person would tell it: what is seen, what was decided and "
        "why, what would change it, what needs attention, what was done before.",
    )


class Reason:
    """Machine reasons of conditions and Events; their sentences are made where they arise.

    The condition ScalingLimited and decisions carry the reasons of the decision's own steps.
    """

    # Ready
    HEALTHY: Final = "Healthy"
    INVALID_SPEC: Final = "InvalidSpec"
    TARGET_NOT_FOUND: Final = "TargetNotFound"
    TARGET_NOT_SCALABLE: Final = "TargetNotScalable"
    FORBIDDEN: Final = "Forbidden"
    # MetricsAvailable
    METRICS_FOUND: Final = "MetricsFound"
    METRICS_MISSING: Final = "MetricsMissing"
    QUERY_REFUSED: Final = "QueryRefused"
    SOURCE_UNAVAILABLE: Final = "SourceUnavailable"
    # ScalingActive
    ACTIVE: Final = "Active"
    RECOMMENDING: Final = "Recommending"
    PAUSED: Final = "Paused"
    FALLBACK_APPLIED: Final = "FallbackApplied"
    # ScalingLimited
    NOT_LIMITED: Final = "NotLimited"
    # ForecastTrusted
    TRUSTED: Final = "Trusted"
    UNTRUSTED: Final = "Untrusted"
    NO_FORECAST: Final = "NoForecast"
    # Conflict
    NO_CONFLICT: Final = "NoConflict"
    TARGET_SHARED: Final = "TargetShared"
    OTHER_AUTOSCALER: Final = "OtherAutoscaler"
    RIVALS_UNKNOWN: Final = "RivalsUnknown"
    # ReplicasContested
    UNCONTESTED: Final = "Uncontested"
    FOREIGN_WRITER: Final = "ForeignWriter"
    # Events of scalings
    SCALED_UP: Final = "ScaledUp"
    SCALED_DOWN: Final = "ScaledDown"
    DRAIN_FORCED: Final = "DrainForced"
    SCALING_RECOMMENDED: Final = "ScalingRecommended"
    SCALING_FAILED: Final = "ScalingFailed"
    # Events of what begins and ends
    METRICS_UNAVAILABLE: Final = "MetricsUnavailable"
    METRICS_RESTORED: Final = "MetricsRestored"
    BOTTLENECK_FOUND: Final = "BottleneckFound"
    FALLBACK_ENDED: Final = "FallbackEnded"
    CONFLICT: Final = "Conflict"
    REPLICAS_CONTESTED: Final = "ReplicasContested"
    RECOVERED: Final = "Recovered"
