"""What the operator writes back: figures, the decision and its steps, history, conditions.

The status is also the operator's only store. Whatever must survive a restart or a change of leader
is here: the times of the last scalings, what was learned, and the history.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from agentscaler.api.fields import Model, Sentence, Timestamp, listed_by

ShortText = Annotated[str, Field(max_length=128)]
Amount = Annotated[str, Field(max_length=32)]


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


class Condition(Model):
    """One aspect of the policy's health, in the common form of Kubernetes."""

    type: ConditionType = Field(description="What it is about.")
    status: ConditionStatus = Field(description="Whether it holds: True, False or Unknown.")
    reason: ShortText = Field(description="Why, for machines.")
    message: Sentence = Field("", description="Why, for people, with what to do about it.")
    last_transition_time: Timestamp = Field(description="When `status` last changed.")
    observed_generation: int = Field(0, description="Generation of the spec it speaks of.")


class SignalStatus(Model):
    """One reading of the last decision."""

    name: ShortText = Field(description="Name of the signal, custom metric or gate.")
    value: Amount = Field(
        "", description="What was read, as a number or ratio; empty when it is unknown."
    )
    missing: Annotated[str, Field(max_length=256)] = Field(
        "", description="Why it is unknown; empty when it was read."
    )


class StepStatus(Model):
    """What one stage of the decision did."""

    name: ShortText = Field(description="Name of the stage.")
    before: int = Field(description="Replicas wanted before the stage.")
    after: int = Field(description="Replicas wanted after it.")
    reason: ShortText = Field("", description="Why, for machines.")
    message: Sentence = Field("", description="Why, for people.")


class DecisionStatus(Model):
    """The newest decision whose outcome differs from the one before."""

    time: Timestamp = Field(description="When it was taken.")
    reason: ShortText = Field(description="What bound it, for machines.")
    message: Sentence = Field(description="What was decided and why.")
    hint: Sentence = Field("", description="What would change the answer.")
    steps: Annotated[tuple[StepStatus, ...], Field(max_length=20)] = Field(
        (), description="The stages that had a say, in their order."
    )


class ForecastStatus(Model):
    """What the forecast says of the time when a replica asked for now would be ready."""

    method: ShortText = Field("", description="How it was made.")
    lookahead: Amount = Field("", description="How far ahead.")
    expected: Amount = Field("", description="Load expected, in slots.")
    upper: Amount = Field("", description="Load not exceeded at the policy's quantile, in slots.")
    trusted: bool = Field(False, description="Whether it may raise the count.")
    message: Sentence = Field("", description="Why it is trusted or not.")


class ScalingEvent(Model):
    """One change of the number of replicas."""

    id: ShortText = Field(description="Identity of the decision, as in logs and Events.")
    time: Timestamp = Field(description="When it was decided.")
    from_: int = Field(alias="from", description="Replicas before.")
    to: int = Field(description="Replicas after.")
    reason: ShortText = Field(description="What bound the decision, for machines.")
    message: Sentence = Field(description="Why, for people.")
    signals: Annotated[str, Field(max_length=512)] = Field(
        "", description="The readings it was based on, as `name=value` pairs."
    )
    outcome: Outcome = Field(
        Outcome.PENDING,
        description="Pending (recorded, about to be applied), Applied, Recommended (mode "
        "Recommend) or Failed.",
    )


class PolicyStatus(Model):
    """State of the policy as the operator last saw and decided it."""

    observed_generation: int = Field(0, description="Generation of the spec that was decided on.")
    mode: ShortText = Field("", description="Mode in force.")
    target: Annotated[str, Field(max_length=320)] = Field(
        "", description="Kind and name of the target."
    )
    current_replicas: int | None = Field(None, description="Replicas the target asks for.")
    ready_replicas: int | None = Field(None, description="Replicas that are ready to serve.")
    desired_replicas: int | None = Field(None, description="Replicas that were decided.")
    last_scale_up_time: Timestamp | None = Field(None, description="When replicas were last added.")
    last_scale_down_time: Timestamp | None = Field(
        None, description="When replicas were last removed."
    )
    lead_time: Amount = Field(
        "", description="Time that replicas needed from being asked for to being ready."
    )
    slots_per_replica: Amount = Field(
        "", description="Requests that one replica serves at once, as last seen."
    )
    decision: DecisionStatus | None = Field(None, description="The decision and why.")
    forecast: ForecastStatus | None = Field(None, description="What is expected.")
    signals: Annotated[tuple[SignalStatus, ...], listed_by("name", most=64)] = Field(
        (), description="What was read for the decision."
    )
    conditions: Annotated[tuple[Condition, ...], listed_by("type", most=16)] = Field(
        (), description="Aspects of the policy's health."
    )
    history: Annotated[tuple[ScalingEvent, ...], Field(max_length=100)] = Field(
        (), description="Scaling events, newest first."
    )


class Reason:
    """Machine reasons of conditions and Events; their sentences are made where they arise."""

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
    # Conflict
    NO_CONFLICT: Final = "NoConflict"
    TARGET_SHARED: Final = "TargetShared"
    OTHER_AUTOSCALER: Final = "OtherAutoscaler"
    # ReplicasContested
    UNCONTESTED: Final = "Uncontested"
    FOREIGN_WRITER: Final = "ForeignWriter"
    # Events of scalings
    SCALED_UP: Final = "ScaledUp"
    SCALED_DOWN: Final = "ScaledDown"
    SCALING_RECOMMENDED: Final = "ScalingRecommended"
    SCALING_FAILED: Final = "ScalingFailed"
    METRICS_RESTORED: Final = "MetricsRestored"
