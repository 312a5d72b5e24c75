"""Join what is known of a policy to the situation that the analyzer judges.

No I/O: the readings, the profile and the policy's status are read by whoever asks.
"""

from collections.abc import Mapping
from datetime import datetime
from math import inf
from typing import Final

from agentscaler.analyze import bottlenecks, recommendations
from agentscaler.analyze.bottlenecks import Operation, Situation, Usage
from agentscaler.api.policy import Policy
from agentscaler.api.signals import LatencyMeaning, SignalName
from agentscaler.api.status import (
    MAX_RECOMMENDATIONS,
    Bottleneck,
    BottleneckStatus,
    PolicyStatus,
)
from agentscaler.api.strategies import Threshold
from agentscaler.decide.snapshot import Missing, Reading, Why
from agentscaler.observe.profiles import Profile
from agentscaler.observe.readings import Readings

# Why it is unknown, the conditions tell; that replicas start, the scaling told.
_UNTOLD: Final = frozenset({Bottleneck.NONE, Bottleneck.UNKNOWN, Bottleneck.REPLICAS_STARTING})
_UNUSED = Missing(Why.EMPTY, "the policy does not use it")


def situation_of(
    policy: Policy, status: PolicyStatus, readings: Readings, profile: Profile, now: datetime
) -> Situation:
    """Tell what is known of a policy at `now`."""
    current = status.current_replicas or 0
    ready = current if status.ready_replicas is None else status.ready_replicas
    signals = readings.signals
    return Situation(
        queued=signals.get(SignalName.QUEUE_DEPTH, _UNUSED),
        active=signals.get(SignalName.ACTIVE_REQUESTS, _UNUSED),
        capacity=_capacity(policy, signals, ready),
        latency=signals.get(SignalName.LATENCY, _UNUSED),
        slow_above=_slow_above(policy),
        current=current,
        ready=ready,
        overdue=_is_overdue(policy, status, now),
        at_maximum=current >= policy.spec.max_replicas,
        refused={**profile.refused, **_known(readings.providers)},
        calls=profile.calls,
        operations=tuple(
            Operation(name, mean, profile.p90s.get(name, 0.0))
            for name, mean in sorted(profile.means.items())
        ),
        usages=tuple(
            Usage(name, mean, profile.usage_peaks.get(name, mean))
            for name, mean in sorted(profile.usage_means.items())
        ),
    )


def bottleneck_of(situation: Situation) -> BottleneckStatus | None:
    """Give the verdict on a situation as the status tells it; None where there is nothing new.

    A status that said so of every agent at rest would be written for it.
    """
    told = bottlenecks.diagnose(situation)
    if told.verdict in _UNTOLD:
        return None
    return BottleneckStatus(
        verdict=told.verdict.value,
        replicas_help=told.help.value,
        message=told.sentence,
        recommendations=recommendations.recommend(situation, told)[:MAX_RECOMMENDATIONS],
    )


def _capacity(policy: Policy, signals: Mapping[SignalName, Reading], ready: int) -> Reading:
    per_replica = policy.spec.signals.capacity.per_replica
    if per_replica is not None:
        return per_replica * ready
    return signals.get(SignalName.CAPACITY, _UNUSED)


def _slow_above(policy: Policy) -> float:
    """Give the latency that is too much: a threshold's own, else the wait target, in seconds.

    Under `demand` only of a latency that the policy names: a model that always takes longer than
    the wait target is no news to its owner.
    """
    signals, sizing = policy.spec.signals, policy.spec.sizing
    if signals.latency.measures is LatencyMeaning.WAIT:
        return inf  # it says nothing of how long the work takes
    if isinstance(sizing, Threshold):
        return sizing.scale_up.latency.total_seconds()
    if sizing is None or "latency" not in signals.model_fields_set:
        return inf
    return sizing.wait.target.total_seconds()


def _is_overdue(policy: Policy, status: PolicyStatus, now: datetime) -> bool:
    """Tell that replicas had the time to start since they were last asked for."""
    asked = status.last_scale_up_time or policy.created
    return now - asked > policy.spec.startup_deadline


def _known(readings: Mapping[str, Reading]) -> dict[str, float]:
    return {name: value for name, value in readings.items() if not isinstance(value, Missing)}
