"""Where the numbers of a policy come from: the signals of an agent, custom metrics, gates."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field, model_validator

from agentscaler.api.fields import (
    MetricName,
    Model,
    Name,
    Percent,
    Quantity,
    Query,
    Share,
    WholeShare,
)
from agentscaler.api.rules import Rule, rules


class SignalName(StrEnum):
    """The quantities that every agent has, by the names of their fields in `spec.signals`."""

    QUEUE_DEPTH = "queueDepth"
    ACTIVE_REQUESTS = "activeRequests"
    CAPACITY = "capacity"
    LATENCY = "latency"
    WAIT = "wait"
    ARRIVAL_RATE = "arrivalRate"
    COMPLETION_RATE = "completionRate"
    ERROR_RATIO = "errorRatio"
    PENDING_LLM_CALLS = "pendingLlmCalls"


class EmptyResult(StrEnum):
    """What it means when a query finds no series."""

    UNKNOWN = "Unknown"
    ZERO = "Zero"


class Preset(StrEnum):
    """Which server's metrics the default signals read."""

    AGENTSCALER = "agentscaler"
    VLLM = "vllm"
    SGLANG = "sglang"
    TGI = "tgi"


class LatencyMeaning(StrEnum):
    """What a latency signal measures."""

    RESPONSE = "Response"
    WAIT = "Wait"


_ONE_SOURCE: Final = Rule(
    "!(has(self.query) && has(self.metric))",
    "set query or metric, not both: query is used as written, metric is read for all policies at "
    "once",
)


class Signal(Model):
    """One quantity of the agent: from a query of its own, or from a metric shared by all."""

    model_config = ConfigDict(json_schema_extra=rules(_ONE_SOURCE))

    query: Query | None = Field(
        None,
        description="PromQL that gives one number for this agent, from series of the policy's "
        "namespace unless the operator shares more. Replaces the default metric.",
    )
    metric: MetricName | None = Field(
        None,
        description="Name of a metric with the labels `namespace` and `agent`; summed over the "
        "agent's pods and read for all policies in one query. A counter (`…_total`) "
        "is read as a rate per second over one minute.",
    )
    empty_result: EmptyResult = Field(
        EmptyResult.UNKNOWN,
        description="Meaning of a query that finds no series: `Unknown` (nothing is scaled down "
        "on it) or `Zero`.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> "Signal":
        if self.query is not None and self.metric is not None:
            raise ValueError(_ONE_SOURCE.sentence)
        return self


_ONE_CAPACITY: Final = Rule(
    "[has(self.query), has(self.metric), has(self.perReplica)].filter(x, x).size() <= 1",
    "set one of perReplica, query and metric",
)


class CapacitySignal(Signal):
    """How many requests the fleet, or one replica, can serve at once."""

    model_config = ConfigDict(json_schema_extra=rules(_ONE_CAPACITY))

    per_replica: Quantity | None = Field(
        None,
        description="Requests that one replica serves at once, where no metric tells. With it the "
        "capacity is this number times the ready replicas.",
    )

    @model_validator(mode="after")
    def _one_capacity(self) -> "CapacitySignal":
        given = [self.query, self.metric, self.per_replica]
        if sum(source is not None for source in given) > 1:
            raise ValueError(_ONE_CAPACITY.sentence)
        return self


class LatencySignal(Signal):
    """How long requests take, in seconds."""

    model_config = ConfigDict(json_schema_extra=rules(_ONE_SOURCE))

    quantile: Share = Field(
        0.95,
        description="Which quantile of the histogram `metric` is read, over the last minute. Not "
        "used with `query`.",
    )
    measures: LatencyMeaning = Field(
        LatencyMeaning.RESPONSE,
        description="What the number is: `Response` (waiting and work, the model's own time "
        "included) or `Wait` (only the time before work began). More replicas cure "
        "waiting, never a slow model.",
    )


class Signals(Model):
    """The quantities every agent has; by default, what the runtime exports is read."""

    preset: Preset = Field(
        Preset.AGENTSCALER,
        description="Whose metrics the signals below read by default: `agentscaler` (runtime and "
        "gateway), `vllm`, `sglang` or `tgi`.",
    )
    agent: Annotated[str, Field(max_length=253)] | None = Field(
        None,
        description="Value of the label `agent` that this policy's series carry. Default: the "
        "target's name.",
    )
    queue_depth: Signal = Field(
        Signal(), description="Requests that wait and are not being served yet."
    )
    active_requests: Signal = Field(Signal(), description="Requests being served now.")
    capacity: CapacitySignal = Field(
        CapacitySignal(), description="Requests that can be served at once."
    )
    latency: LatencySignal = Field(
        LatencySignal(), description="How long requests take, in seconds."
    )
    wait: Signal = Field(
        Signal(),
        description="How long the slowest twentieth of requests waited before work began, in "
        "seconds.",
    )
    arrival_rate: Signal = Field(Signal(), description="Requests that arrive per second.")
    completion_rate: Signal = Field(Signal(), description="Requests that end per second.")
    error_ratio: Signal = Field(
        Signal(), description="Share of ended requests that failed, 0 to 1."
    )
    pending_llm_calls: Signal = Field(
        Signal(), description="Calls to model providers that are under way."
    )


_ONE_TARGET: Final = Rule(
    "[has(self.perReplica), has(self.value), has(self.utilization)].filter(x, x).size() == 1",
    "set exactly one of perReplica, value and utilization",
)


class MetricTarget(Model):
    """What a custom metric should be kept at."""

    model_config = ConfigDict(json_schema_extra=rules(_ONE_TARGET))

    per_replica: Quantity | None = Field(
        None,
        description="Share of the metric that one replica takes: replicas = metric / perReplica.",
    )
    value: Quantity | None = Field(
        None,
        description="Level of the whole metric: replicas = ready replicas x metric / value.",
    )
    utilization: WholeShare | None = Field(
        None,
        description="Level of a metric that is a ratio (0 to 1): replicas = ready replicas x "
        "metric / utilization.",
    )

    @model_validator(mode="after")
    def _one_target(self) -> "MetricTarget":
        given = [self.per_replica, self.value, self.utilization]
        if sum(target is not None for target in given) != 1:
            raise ValueError(_ONE_TARGET.sentence)
        return self


class CustomMetric(Model):
    """A further metric with a target of its own; the largest proposal wins."""

    name: Name = Field(description="Name by which decisions speak of it; unique in the policy.")
    query: Query = Field(description="PromQL that gives one number.")
    target: MetricTarget = Field(description="What the number should be kept at.")
    empty_result: EmptyResult = Field(
        EmptyResult.UNKNOWN,
        description="Meaning of a query that finds no series: `Unknown` or `Zero`.",
    )


_ONE_LIMIT: Final = Rule(
    "has(self.above) != has(self.below)",
    "set exactly one of above and below",
)


class Gate(Model):
    """Back-pressure: while the condition is known to hold, no replica is added."""

    model_config = ConfigDict(json_schema_extra=rules(_ONE_LIMIT))

    name: Name = Field(description="Name by which decisions speak of it; unique in the policy.")
    query: Query = Field(description="PromQL that gives one number.")
    above: Percent | None = Field(
        None, description="The gate is closed while the number is above this ratio: 90% is 0.9."
    )
    below: Percent | None = Field(
        None, description="The gate is closed while the number is below this ratio: 10% is 0.1."
    )
    empty_result: EmptyResult = Field(
        EmptyResult.UNKNOWN,
        description="Meaning of a query that finds no series: `Unknown` (the gate is open, and "
        "the condition MetricsAvailable says that it cannot be read) or `Zero`.",
    )

    @model_validator(mode="after")
    def _one_limit(self) -> "Gate":
        if (self.above is None) == (self.below is None):
            raise ValueError(_ONE_LIMIT.sentence)
        return self
