"""How a policy shrinks a fleet without cutting off work."""

from datetime import timedelta

from pydantic import Field

from agentscaler.api.fields import MetricName, Model, PositiveDuration


class PodSignal(Model):
    """The requests in flight of each pod."""

    metric: MetricName | None = Field(
        None,
        description="A gauge with a series per pod, labelled `pod`, that counts its requests in "
        "flight. Default: the metric that signals.activeRequests reads.",
    )


class Drain(Model):
    """Remove pods that are idle; wait for those that are not, but not for ever."""

    protect_busy: bool = Field(
        True,
        description="Whether a scale-down is limited to idle pods, and made to hit just these. "
        "The operator needs the rights that the chart grants with drain.enabled.",
    )
    active_requests_per_pod: PodSignal = Field(
        PodSignal(),
        description="Where the requests in flight of each pod are read. A pod without a reading "
        "counts as busy.",
    )
    max_wait: PositiveDuration = Field(
        timedelta(minutes=10),
        description="How long a pod that is to go may stay busy. After that it is removed all the "
        "same, with the reason DrainForced.",
    )
