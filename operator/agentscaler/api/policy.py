"""The policy as a user writes it."""

import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final, cast

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from agentscaler.api.candidate import Candidate
from agentscaler.api.draining import Drain
from agentscaler.api.fields import (
    Interval,
    LookAhead,
    Model,
    ObjectName,
    PositiveDuration,
    Quantile,
    Replicas,
    Season,
)
from agentscaler.api.limits import Limits
from agentscaler.api.problems import Problem
from agentscaler.api.rules import Form, Rule, listed_by, rules
from agentscaler.api.schedules import Override, Schedule
from agentscaler.api.signals import CustomMetric, Gate, Signals
from agentscaler.api.strategies import Demand, Threshold
from agentscaler.errors import InvalidPolicyError

ApiVersion = Annotated[
    str,
    Field(max_length=253),
    Form(
        r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9]+((alpha|beta)[0-9]+)?$",
        "write group and version of the workload, such as apps/v1",
    ),
]
Kind = Annotated[
    str,
    Field(max_length=63),
    Form("^[A-Z][A-Za-z0-9]*$", "write the kind of the workload, such as Deployment"),
]
ServerAddress = Annotated[
    str,
    Field(max_length=512),
    Form(
        r"^https?://[^\s/?#]+(/[^\s?#]*)?$",
        "write the address of a Prometheus API, such as http://thanos.monitoring:9090",
    ),
]


class Mode(StrEnum):
    """What a decision leads to."""

    AUTO = "Auto"
    RECOMMEND = "Recommend"
    PAUSED = "Paused"


class ScaleTargetRef(Model):
    """The workload: anything with a `/scale` subresource, in the policy's namespace."""

    api_version: ApiVersion = Field("apps/v1", description="API group and version of the workload.")
    kind: Kind = Field("Deployment", description="Kind of the workload.")
    name: ObjectName = Field(description="Name of the workload, in the policy's own namespace.")

    @property
    def is_numbered(self) -> bool:
        """Tell whether its pods are numbered, and the highest number is always removed first."""
        return self.kind == "StatefulSet"


class SecretRef(Model):
    """A Secret in the policy's namespace."""

    name: ObjectName = Field(
        description="Name of a Secret in the policy's namespace. Keys read, each optional: `token` "
        "(bearer), `username` and `password` (basic), `ca.crt`, `tls.crt` and `tls.key` (TLS), "
        "`tenant` (sent as X-Scope-OrgID)."
    )


class PrometheusSource(Model):
    """Where the metrics are read, if not where the operator reads all others."""

    server_address: ServerAddress | None = Field(
        None,
        description="Address of a Prometheus-compatible API, such as "
        "http://thanos.monitoring:9090. It must be on the operator's list of allowed "
        "addresses. Default: the operator's own.",
    )
    auth_secret_ref: SecretRef | None = Field(
        None, description="Credentials for the server, in place of the operator's own."
    )


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
    quantile: Quantile = Field(
        0.9,
        description="Share of cases in which the load should stay below the forecast that is "
        "acted on.",
    )
    history: PositiveDuration = Field(
        timedelta(days=8), description="How much past load is read back when the operator starts."
    )
    season: Season = Field(
        timedelta(days=1),
        description="Period after which the load repeats, at least 1m. For agents started by an "
        "hourly job: 1h.",
    )


class FallbackBehavior(StrEnum):
    """What to do while the metrics stay unknown."""

    HOLD = "Hold"
    STATIC = "Static"
    AT_LEAST = "AtLeast"


_FALLBACK_REPLICAS: Final = Rule(
    "self.behavior == 'Hold' || has(self.replicas)",
    "behavior Static and AtLeast need replicas: set fallback.replicas",
    field="replicas",
)


class Fallback(Model):
    """What to do after the metrics were unknown several times in a row."""

    model_config = ConfigDict(json_schema_extra=rules(_FALLBACK_REPLICAS))

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
            raise ValueError(_FALLBACK_REPLICAS.sentence)
        return self


_BOUNDS: Final = Rule(
    "self.minReplicas <= self.maxReplicas",
    "minReplicas must not exceed maxReplicas: lower minReplicas or raise maxReplicas",
    field="minReplicas",
)
_ONE_STRATEGY: Final = Rule(
    "!(has(self.demand) && has(self.threshold))",
    "set demand or threshold, not both: demand sizes the fleet for its work, threshold acts on "
    "crossings",
    field="threshold",
)


class PolicySpec(Model):
    """What to scale, between which bounds, on which numbers, how fast."""

    model_config = ConfigDict(json_schema_extra=rules(_BOUNDS, _ONE_STRATEGY))

    scale_target_ref: ScaleTargetRef = Field(description="The workload to scale.")
    min_replicas: Replicas = Field(
        1, description="Fewest replicas. 0 allows scaling to zero while there is no work at all."
    )
    max_replicas: Annotated[Replicas, Field(ge=1)] = Field(10, description="Most replicas.")
    mode: Mode = Field(
        Mode.AUTO,
        description="`Auto` (decide and act), `Recommend` (decide and record, do not act) or "
        "`Paused` (do nothing; the last decision stays).",
    )
    polling_interval: Interval = Field(
        timedelta(seconds=15), description="Time between two decisions, at least 1s."
    )
    startup_deadline: PositiveDuration = Field(
        timedelta(minutes=10),
        description="With `threshold`: how long replicas that were asked for but are not ready "
        "count as capacity; beyond it they are taken for stuck. `demand` sizes the "
        "count that is asked for, so replicas that are starting are never asked for "
        "twice.",
    )
    prometheus: PrometheusSource = Field(
        PrometheusSource(), description="Where the metrics are read."
    )
    signals: Signals = Field(Signals(), description="The quantities every agent has.")
    metrics: Annotated[tuple[CustomMetric, ...], listed_by("name", most=10)] = Field(
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
    candidate: Candidate | None = Field(
        None,
        description="A second strategy, decided beside the one in force on the same readings and "
        "never acted on: `status.candidate` tells what it would ask for and what it "
        "would have cost.",
    )
    limits: Limits = Field(
        Limits(), description="What the fleet may not outgrow: model providers, a budget."
    )
    drain: Drain | None = Field(
        None,
        description="Shrink without cutting off work: `{}` removes idle pods only. Off by default, "
        "for it needs rights on pods and a metric per pod.",
    )
    history_limit: int = Field(20, ge=1, le=100, description="Scaling events kept in the status.")

    @model_validator(mode="after")
    def _coherent(self) -> "PolicySpec":
        if self.min_replicas > self.max_replicas:
            raise ValueError(_BOUNDS.sentence)
        if self.demand is not None and self.threshold is not None:
            raise ValueError(_ONE_STRATEGY.sentence)
        return self

    @property
    def rehearsed(self) -> "PolicySpec | None":
        """Give the policy as it would be with its candidate in force; None where it has none."""
        # Of who has none nothing is cached: one entry more takes twice the memory of the fields.
        return None if self.candidate is None else self._rehearsed

    @cached_property
    def _rehearsed(self) -> "PolicySpec":
        candidate = cast("Candidate", self.candidate)  # asked only of who has one
        changes = {
            "demand": candidate.demand,
            "threshold": candidate.threshold,
            "candidate": None,
            "drain": None,
            "sizing": candidate.sizing,  # it may be cached, and is copied then
        }
        return self.model_copy(update=changes)

    @property
    def drains(self) -> bool:
        """Tell whether busy pods are protected when the policy shrinks its target."""
        return self.drain is not None and self.drain.protect_busy and self.mode is Mode.AUTO

    @cached_property
    def sizing(self) -> Demand | Threshold | None:
        """Tell the strategy in force; None when custom metrics alone decide."""
        if self.threshold is not None:
            return self.threshold
        uses_signals = "signals" in self.model_fields_set
        if self.demand is None and self.metrics and not uses_signals:
            return None
        return self.demand or _USUAL


_USUAL: Final = Demand()


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
        return sys.intern(f"{self.namespace}/{self.name}")  # many maps know it


def parse_spec(spec: Mapping[str, Any]) -> PolicySpec:
    """Read a spec; raise InvalidPolicyError that names each bad field and the fix."""
    try:
        return PolicySpec.model_validate(spec)
    except ValidationError as exc:
        raise InvalidPolicyError(tuple(str(problem) for problem in problems_of(exc))) from exc


def problems_of(refusal: ValidationError) -> tuple[Problem, ...]:
    """Say what pydantic refused in a spec, in our words."""
    return tuple(_problem(error) for error in refusal.errors())


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


def _problem(error: ErrorDetails) -> Problem:
    said = error["msg"].removeprefix("Value error, ")
    return Problem(("spec", *error["loc"]), f"{said[0].lower()}{said[1:]}")
