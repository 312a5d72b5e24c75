"""A second strategy, to be watched beside the one in force before it takes its place."""

from pydantic import ConfigDict, Field, model_validator

from agentscaler.api.fields import Model
from agentscaler.api.rules import Rule, rules
from agentscaler.api.strategies import Demand, Threshold

_ONE_STRATEGY = Rule(
    "!(has(self.demand) && has(self.threshold))",
    "set demand or threshold, not both, in a candidate too",
    field="threshold",
)


class Candidate(Model):
    """What is decided on the same readings, recorded in `status.candidate`, and never acted on."""

    model_config = ConfigDict(json_schema_extra=rules(_ONE_STRATEGY))

    demand: Demand | None = Field(
        None, description="Strategy 1, the default here too: as `spec.demand`."
    )
    threshold: Threshold | None = Field(None, description="Strategy 2: as `spec.threshold`.")

    @model_validator(mode="after")
    def _one_strategy(self) -> "Candidate":
        if self.demand is not None and self.threshold is not None:
            raise ValueError(_ONE_STRATEGY.sentence)
        return self

    @property
    def sizing(self) -> Demand | Threshold:
        """Tell the strategy."""
        return self.threshold or self.demand or Demand()
