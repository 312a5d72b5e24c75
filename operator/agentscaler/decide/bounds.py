"""The last word: the policy's bounds, a schedule's before them, an override's before all."""

from dataclasses import dataclass
from datetime import datetime

from agentscaler.api.policy import PolicySpec
from agentscaler.api.schedules import Override
from agentscaler.decide import schedules
from agentscaler.decide.decision import Memory, Step
from agentscaler.decide.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Bounds:
    """Fewest and most replicas at one moment, and whose word each is."""

    low: int
    high: int
    low_source: str
    high_source: str


def bound(wanted: int, policy: PolicySpec, seen: Snapshot, _memory: Memory) -> Step | None:
    """Keep the count within the bounds in force."""
    limits = bounds_at(policy, seen.now)
    if wanted > limits.high:
        hint = f"would be {wanted} without {limits.high_source}"
        said = f"{limits.high_source} allows at most {limits.high}"
        return Step("bounds", wanted, limits.high, "AtMaximum", said, hint=hint)
    if wanted < limits.low:
        hint = f"would be {wanted} without {limits.low_source}"
        said = f"{limits.low_source} asks for at least {limits.low}"
        return Step("bounds", wanted, limits.low, "AtMinimum", said, hint=hint)
    return None


def bounds_at(policy: PolicySpec, now: datetime) -> Bounds:
    """Give the bounds at a moment: override before schedules before minReplicas and maxReplicas."""
    limits = _scheduled(policy, now)
    override = policy.override
    if override is None or override.until <= now:
        return limits
    return _overridden(limits, override)


def _scheduled(policy: PolicySpec, now: datetime) -> Bounds:
    active = schedules.in_force(policy.schedules, now) if policy.schedules else ()
    low, high = policy.min_replicas, policy.max_replicas
    low_source, high_source = "minReplicas", "maxReplicas"
    lows = [(s.min_replicas, s.name) for s in active if s.min_replicas is not None]
    highs = [(s.max_replicas, s.name) for s in active if s.max_replicas is not None]
    if lows:
        low, name = max(lows)
        low_source = f"schedule {name}"
    if highs:
        high, name = max(highs)
        high_source = f"schedule {name}"
    return _ordered(Bounds(low, high, low_source, high_source), low_wins=bool(lows))


def _overridden(limits: Bounds, override: Override) -> Bounds:
    source = f"override ({override.reason})" if override.reason else "override"
    low, high = limits.low, limits.high
    low_source, high_source = limits.low_source, limits.high_source
    asked_low = override.replicas if override.replicas is not None else override.min_replicas
    asked_high = override.replicas if override.replicas is not None else override.max_replicas
    if asked_low is not None:
        low, low_source = asked_low, source
    if asked_high is not None:
        high, high_source = asked_high, source
    return _ordered(Bounds(low, high, low_source, high_source), low_wins=asked_low is not None)


def _ordered(limits: Bounds, *, low_wins: bool) -> Bounds:
    """Let the stronger word win where a bound of one source crosses one of another."""
    if limits.low <= limits.high:
        return limits
    if low_wins:
        return Bounds(limits.low, limits.low, limits.low_source, limits.low_source)
    return Bounds(limits.high, limits.high, limits.high_source, limits.high_source)
