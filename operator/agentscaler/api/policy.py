"""The policy as a user writes it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, ValidationError, model_validator

from agentscaler.api import fields
from agentscaler.api.fields import (
    Duration,
    LookAhead,
    Model,
    Name,
    ObjectName,
    PositiveDuration,
    Share,
    Timestamp,
    listed_by,
)
from agentscaler.api.signals import CustomMetric, Gate, Signals
from agentscaler.api.strategies import Demand, Threshold
from agentscaler.errors import InvalidPolicyError

MAX_REPLICAS: Final = 100_000
Replicas = Annotated[int, Field(ge=0, le=MAX_REPLICAS)]


class Mode(StrEnum):
    """What a decision leads to."""

    AUTO = "Auto"
    RECOMMEND = "Recommend"
    PAUSED = "Paused"


class ScaleTargetRef(Model):
    """The workload: anything with a `/scale` subresource, in the policy's namespace."""

    api_version: Annotated[str, Field(max_length=253)] = Field(
        "apps/v1", description="API group and version of the workload."
    )
    kind: Annotated[str, Field(max_length=63)] = Field(
        "Deployment", description="Kind of the workload."
    )
    name: ObjectName = Field(description="Name of the workload, in the policy's own namespace.")


class SecretRef(Model):
    """A Secret in the policy's namespace."""

    name: ObjectName = Field(
        description="Name of a Secret in the policy's namespace. Keys read, each optional: `token` "
        "(bearer), `username` and `password` (basic), `ca.crt`, `tls.crt` and `tls.key` (TLS), "
        "`tenant` (sent as X-Scope-OrgID)."
    )


class PrometheusSource(Model):
    """Where the metrics are read, if not where the operator reads all others."""

    server_address: (
        Annotated[str, Field(max_length=512, pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")] | None
    ) = Field(
        None,
        description="Address of a Prometheus-compatible API, such as "
        "http://thanos.monitoring:9090. It must be on the operator's list of allowed "
        "addresses. Default: the operator's own.",
    )
    auth_secret_ref: SecretRef | None = Field(None, description="Credentials for `serverAddress`.")


class PredictionMode(StrEnum):
    """What the forecast may do."""

    OFF = "Off"
    OBSERVE = "Observe"
    ACT = "Act"


class Method(StrEnum):
    """How the load is forecast."""

    MIXTURE = "Mixture"
    TIME_OF_DAY = "TimeOfDay"


class Prediction(Model):
    """Look ahead by the time a replica needs to become ready; the forecast only ever raises."""

    mode: PredictionMode = Field(
        PredictionMode.ACT,
        description="`Act` (the forecast may raise the count while it is trusted), `Observe` "
        "(forecast and report, do not act) or `Off`.",
    )
    method: Method = Field(
        Method.MIXTURE,
        description="`Mixture` (several forecasters, weighted by how well each did lately) or "
        "`TimeOfDay` (mean of the load within an hour of the same time of day over "
        "the last 24 hours).",
    )
    lookahead: LookAhead = Field(
        None,
        description="How far ahead to look. `Auto`: the time that new replicas were seen to need "
        "until ready (60s until that is known), or 15m with `method: TimeOfDay`.",
    )
    quantile: Share = Field(
        0.9,
        description="Share of cases in which the load should stay below the forecast that is "
        "acted on.",
    )
    history: PositiveDuration = Field(
        timedelta(days=8), description="How much past load is read back when the operator starts."
    )
    season: PositiveDuration = Field(
        timedelta(days=1),
        description="Period after which the load repeats. For agents started by an hourly job: 1h.",
    )


class FallbackBehavior(StrEnum):
    """What to do while the metrics stay unknown."""

    HOLD = "Hold"
    STATIC = "Static"
    AT_LEAST = "AtLeast"


_FALLBACK_REPLICAS: Final = (
    "self.behavior == 'Hold' || has(self.replicas)",
    "behavior Static and AtLeast need replicas: set fallback.replicas",
)


class Fallback(Model):
    """What to do after the metrics were unknown several times in a row."""

    model_config = ConfigDict(json_schema_extra=fields.rules(_FALLBACK_REPLICAS))

    after_failures: int = Field(
        3,
        ge=1,
        le=1000,
        description="Polls in a row with unknown metrics before the fallback applies.",
    )
    behavior: FallbackBehavior = Field(
        FallbackBehavior.HOLD,
        description="`Hold` (keep the present count), `Static` (go to `replicas`) or `AtLeast` "
        "(raise to `replicas`, never lower).",
    )
    replicas: Replicas | None = Field(
        None, description="The count for `Static` and `AtLeast`; bounds still apply."
    )

    @model_validator(mode="after")
    def _replicas_given(self) -> "Fallback":
        if self.behavior is not FallbackBehavior.HOLD and self.replicas is None:
            raise ValueError(_FALLBACK_REPLICAS[1])
        return self


_SCHEDULE_BOUND: Final = (
    "has(self.minReplicas) || has(self.maxReplicas)",
    "a schedule needs minReplicas, maxReplicas or both",
)
_SCHEDULE_ORDER: Final = (
    "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
    "minReplicas of a schedule must not exceed its maxReplicas",
)
Cron = Annotated[str, Field(min_length=9, max_length=100)]


class Schedule(Model):
    """Other bounds during recurring hours."""

    model_config = ConfigDict(json_schema_extra=fields.rules(_SCHEDULE_BOUND, _SCHEDULE_ORDER))

    name: Name = Field(description="Name by which decisions speak of it; unique in the policy.")
    timezone: Annotated[str, Field(max_length=64)] = Field(
        "UTC", description="Time zone of `start` and `end`, such as Europe/Berlin."
    )
    start: Cron = Field(description="When it begins, as a cron expression: '0 7 * * 1-5'.")
    end: Cron = Field(description="When it ends, as a cron expression: '0 20 * * 1-5'.")
    min_replicas: Replicas | None = Field(None, description="Lower bound meanwhile.")
    max_replicas: Replicas | None = Field(None, description="Upper bound meanwhile.")

    @model_validator(mode="after")
    def _bounds(self) -> "Schedule":
        if self.min_replicas is None and self.max_replicas is None:
            raise ValueError(_SCHEDULE_BOUND[1])
        if None not in (self.min_replicas, self.max_replicas) and (
            (self.min_replicas or 0) > (self.max_replicas or 0)
        ):
            raise ValueError(_SCHEDULE_ORDER[1])
        return self


_OVERRIDE_ONE: Final = (
    "has(self.replicas) != (has(self.minReplicas) || has(self.maxReplicas))",
    "an override sets either replicas, or minReplicas and maxReplicas (one or both)",
)


class Override(Model):
    """Other bounds until a moment in time; it ends by itself and beats schedules."""

    model_config = ConfigDict(json_schema_extra=fields.rules(_OVERRIDE_ONE, _SCHEDULE_ORDER))

    replicas: Replicas | None = Field(None, description="Exactly this many replicas meanwhile.")
    min_replicas: Replicas | None = Field(None, description="Lower bound meanwhile.")
    max_replicas: Replicas | None = Field(None, description="Upper bound meanwhile.")
    until: Timestamp = Field(description="When it ends, such as 2026-12-01T00:00:00Z.")
    reason: Annotated[str, Field(max_length=256)] = Field(
        "", description="Why, for those who read the decision."
    )

    @model_validator(mode="after")
    def _one_form(self) -> "Override":
        bounded = self.min_replicas is not None or self.max_replicas is not None
        if (self.replicas is not None) == bounded:
            raise ValueError(_OVERRIDE_ONE[1])
        if None not in (self.min_replicas, self.max_replicas) and (
            (self.min_replicas or 0) > (self.max_replicas or 0)
        ):
            raise ValueError("minReplicas of an override must not exceed its maxReplicas")
        return self


_BOUNDS: Final = (
    "self.minReplicas <= self.maxReplicas",
    "minReplicas must not exceed maxReplicas: lower minReplicas or raise maxReplicas",
)
_ONE_STRATEGY: Final = (
    "!(has(self.demand) && has(self.threshold))",
    "set demand or threshold, not both: demand sizes the fleet for its work, threshold acts on "
    "crossings",
)
_POLLING: Final = (
    "self.pollingInterval.endsWith('d') || duration(self.pollingInterval) >= duration('1s')",
    "pollingInterval must be at least 1s",
)


class PolicySpec(Model):
    """What to scale, between which bounds, on which numbers, how fast."""

    model_config = ConfigDict(json_schema_extra=fields.rules(_BOUNDS, _ONE_STRATEGY, _POLLING))

    scale_target_ref: ScaleTargetRef = Field(description="The workload to scale.")
    min_replicas: Replicas = Field(
        1, description="Fewest replicas. 0 allows scaling to zero while there is no work at all."
    )
    max_replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)] = Field(
        10, description="Most replicas."
    )
    mode: Mode = Field(
        Mode.AUTO,
        description="`Auto` (decide and act), `Recommend` (decide and record, do not act) or "
        "`Paused` (do nothing; the last decision stays).",
    )
    polling_interval: Duration = Field(
        timedelta(seconds=15), description="Time between two decisions, at least 1s."
    )
    startup_deadline: PositiveDuration = Field(
        timedelta(minutes=10),
        description="How long replicas that were asked for but are not ready count as capacity. "
        "Beyond it they are taken for stuck.",
    )
    prometheus: PrometheusSource = Field(
        PrometheusSource(), description="Where the metrics are read."
    )
    signals: Signals = Field(Signals(), description="The quantities every agent has.")
    metrics: Annotated[tuple[CustomMetric, ...], listed_by("name", most=20)] = Field(
        (), description="Further metrics, each with a target of its own; the largest proposal wins."
    )
    gates: Annotated[tuple[Gate, ...], listed_by("name", most=10)] = Field(
        (), description="Back-pressure: while one holds, no replica is added."
    )
    demand: Demand | None = Field(
        None,
        description="Strategy 1, the default: size the fleet for the work. Not used when only "
        "`metrics` are given.",
    )
    threshold: Threshold | None = Field(
        None, description="Strategy 2: act on crossings, by fixed steps."
    )
    prediction: Prediction = Field(Prediction(), description="Look ahead.")
    fallback: Fallback = Field(Fallback(), description="What to do while the metrics stay unknown.")
    schedules: Annotated[tuple[Schedule, ...], listed_by("name", most=20)] = Field(
        (), description="Other bounds during recurring hours. Where several apply, the highest win."
    )
    override: Override | None = Field(
        None, description="Other bounds until a moment in time; beats schedules."
    )
    history_limit: int = Field(20, ge=1, le=100, description="Scaling events kept in the status.")

    @model_validator(mode="after")
    def _coherent(self) -> "PolicySpec":
        if self.min_replicas > self.max_replicas:
            raise ValueError(_BOUNDS[1])
        if self.demand is not None and self.threshold is not None:
            raise ValueError(_ONE_STRATEGY[1])
        if self.polling_interval < timedelta(seconds=1):
            raise ValueError(_POLLING[1])
        return self

    @property
    def sizing(self) -> Demand | Threshold | None:
        """Tell the strategy in force; None when custom metrics alone decide."""
        if self.threshold is not None:
            return self.threshold
        uses_signals = "signals" in self.model_fields_set
        if self.demand is None and self.metrics and not uses_signals:
            return None
        return self.demand or Demand()


class Policy(Model):
    """A policy object of the cluster, as far as the operator needs it."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime
    spec: PolicySpec

    @property
    def key(self) -> str:
        """Name the policy for people and maps: "namespace/name"."""
        return f"{self.namespace}/{self.name}"


def parse_spec(spec: Mapping[str, Any]) -> PolicySpec:
    """Read a spec; raise InvalidPolicyError that names each bad field and the fix."""
    try:
        return PolicySpec.model_validate(spec)
    except ValidationError as exc:
        raise InvalidPolicyError(tuple(_problem(error) for error in exc.errors())) from exc


def parse_policy(body: Mapping[str, Any]) -> Policy:
    """Read an object of the API server; raise InvalidPolicyError if its spec cannot be followed."""
    metadata = body["metadata"]
    return Policy(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        created=metadata["creationTimestamp"],
        spec=parse_spec(body.get("spec") or {}),
    )


def _problem(error: Any) -> str:
    path = ".".join(str(part) for part in ("spec", *error["loc"]))
    said = error["msg"].removeprefix("Value error, ")
    return f"{path}: {said[0].lower()}{said[1:]}"
