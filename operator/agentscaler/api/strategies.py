"""How a policy turns readings into a number of replicas, and how fast it may move."""

from datetime import timedelta

from pydantic import Field

from agentscaler.api.fields import (
    Duration,
    Model,
    Percent,
    PositiveDuration,
    Quantile,
    ReplicaStep,
    Share,
    Spare,
    Step,
)


class WaitTarget(Model):
    """How long requests may wait before work begins, and for how many it must hold."""

    target: PositiveDuration = Field(
        timedelta(seconds=5), description="Longest wait that is still good service."
    )
    attainment: Quantile = Field(
        0.99, description="Share of requests that must not wait longer than `target`."
    )


class DemandUp(Model):
    """Pace of growth."""

    cooldown: Duration = Field(
        timedelta(0), description="Least time between two scale-ups. 0s: every poll may add."
    )
    max_step: ReplicaStep = Field(
        Step(ratio=1.0),
        description="Most that one scale-up adds: replicas (4) or a share of the present ones "
        "(100%).",
    )


class DemandDown(Model):
    """Pace of shrinking."""

    cooldown: Duration = Field(
        timedelta(seconds=300),
        description="The fleet shrinks only to the highest need of this much past time, so that a "
        "short lull removes nothing. A small scale-down that was undone within twice this time is "
        "not repeated for as long.",
    )
    max_step: ReplicaStep = Field(
        Step(ratio=0.25),
        description="Most that one scale-down removes: replicas (2) or a share of the present "
        "ones (25%).",
    )


class Demand(Model):
    """Size the fleet for the work: requests in flight and waiting, plus room for what may come."""

    target_utilization: Share = Field(
        1.0,
        description="Largest share of the slots that may be busy once the work is spread. Room for "
        "the wait target comes on top, learned from the waits; lower this for still more.",
    )
    wait: WaitTarget = Field(WaitTarget(), description="The service that the fleet is sized for.")
    drain_backlog_within: PositiveDuration = Field(
        timedelta(seconds=60), description="Time in which waiting requests should be worked off."
    )
    spare: Spare = Field(
        Step(count=0),
        description="Replicas, or share of the needed ones, kept ready beyond the need. Auto: for "
        "as much as the load usually drifts by while a replica starts.",
    )
    scale_up: DemandUp = Field(DemandUp(), description="Pace of growth.")
    scale_down: DemandDown = Field(DemandDown(), description="Pace of shrinking.")


class ThresholdUp(Model):
    """Any of these crossed: add `step` replicas."""

    utilization: Share = Field(
        0.8, description="Add when more than this share of the capacity is busy."
    )
    queue_pressure: Percent = Field(
        0.5,
        description="Add when the queue, as a share of twice the capacity, is above this.",
    )
    latency: PositiveDuration = Field(
        timedelta(seconds=5),
        description="Add when the latency signal is above this. A response time that includes a "
        "slow model is always above 5s and pins the fleet at its maximum: let the "
        "signal measure the wait.",
    )
    step: int = Field(2, ge=1, le=1000, description="Replicas that one scale-up adds.")
    cooldown: Duration = Field(
        timedelta(seconds=60), description="Least time between two scale-ups."
    )


class ThresholdDown(Model):
    """All of these undercut: remove `step` replicas."""

    utilization: Percent = Field(
        0.3, description="Remove only when less than this share of the capacity is busy."
    )
    queue_pressure: Percent = Field(
        0.1, description="Remove only when the queue pressure is below this."
    )
    error_ratio: Percent = Field(
        0.01, description="Remove only when fewer than this share of requests fail."
    )
    step: int = Field(1, ge=1, le=1000, description="Replicas that one scale-down removes.")
    cooldown: Duration = Field(
        timedelta(seconds=300), description="Least time between two scale-downs."
    )


class Threshold(Model):
    """Act on crossings, by fixed steps."""

    scale_up: ThresholdUp = Field(
        ThresholdUp(), description="When and how much to add; one crossing suffices."
    )
    scale_down: ThresholdDown = Field(
        ThresholdDown(), description="When and how much to remove; all must be undercut."
    )
