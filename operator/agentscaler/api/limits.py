"""What keeps a fleet from growing although work waits: model providers, money, stuck counters."""

from datetime import timedelta
from typing import Annotated, Final

from pydantic import ConfigDict, Field, model_validator

from agentscaler.api.fields import Model, Name, PositiveDuration, Quantity, WholeShare
from agentscaler.api.rules import Rule, listed_by, rules
from agentscaler.api.signals import Signal


class Provider(Model):
    """A model provider whose refusals say that more replicas would only add refusals."""

    name: Name = Field(
        description="Name of the provider: the value of the label `provider` of the metric that is "
        "read, and the name by which decisions speak of it."
    )
    rate_limited_ratio: Signal = Field(
        Signal(),
        description="Share of the calls that the provider refuses for its limits, 0 to 1. Default: "
        "agent_llm_responses_total of the agent, of the last minute. A `metric` needs the label "
        "`provider` beside the others; a counter (`…_total`) also `outcome`, which is rate_limited "
        "for a refusal.",
    )
    ceiling: WholeShare = Field(
        0.05,
        description="While a larger share is refused no replica is added, and the ceiling that is "
        "learned for the fleet falls.",
    )


_SOFT_FIRST: Final = Rule(
    "!has(self.soft) || quantity(string(self.soft)).compareTo(quantity(string(self.hard))) <= 0",
    "soft must not exceed hard: growth is slowed first and ended then",
    field="soft",
)


class Budget(Model):
    """How much the replicas may cost within a window of time."""

    model_config = ConfigDict(json_schema_extra=rules(_SOFT_FIRST))

    replica_hour_cost: Quantity = Field(
        description="What a replica costs an hour, in any currency."
    )
    window: PositiveDuration = Field(
        timedelta(hours=24),
        description="Length of the windows, each with the whole budget. They follow each other "
        "since the begin of 1970 in UTC, so that windows of 24h are days in UTC.",
    )
    soft: Quantity | None = Field(
        None,
        description="Once so much is spent, the fleet grows by at most a tenth (at least one "
        "replica) each five minutes.",
    )
    hard: Quantity = Field(
        description="Once so much is spent, no replica is added until the next window. None is "
        "removed for it, and minReplicas holds."
    )

    @model_validator(mode="after")
    def _soft_first(self) -> "Budget":
        if self.soft is not None and self.soft > self.hard:
            raise ValueError(_SOFT_FIRST.sentence)
        return self


class Limits(Model):
    """What the fleet may not outgrow, whatever waits."""

    providers: Annotated[tuple[Provider, ...], listed_by("name", most=5)] = Field(
        (), description="Model providers whose limits the fleet shall not run into."
    )
    budget: Budget | None = Field(None, description="How much the replicas may cost.")
    phantom_after: PositiveDuration = Field(
        timedelta(hours=1),
        description="Requests that stay in service for so long, while none arrives, waits or ends, "
        "are taken for a counter that never falls and hold no replica any more. Must be longer "
        "than the longest request.",
    )
