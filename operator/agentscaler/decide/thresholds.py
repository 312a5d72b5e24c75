"""Strategy 2: act on crossings of utilization, queue pressure and latency, by fixed steps."""

from agentscaler.api.policy import PolicySpec
from agentscaler.api.signals import SignalName
from agentscaler.api.strategies import Threshold
from agentscaler.decide import work
from agentscaler.decide.decision import Memory, Step
from agentscaler.decide.snapshot import Missing, Reading, Snapshot
from agentscaler.quantities import format_percent


def size(wanted: int, policy: PolicySpec, seen: Snapshot, memory: Memory) -> Step | None:
    """Add a step when one limit is crossed, remove one when all are undercut."""
    threshold = policy.sizing
    if not isinstance(threshold, Threshold):
        return None
    readings = _readings(policy, seen, memory)
    if crossed := _crossed(threshold, readings):
        after = wanted + threshold.scale_up.step
        return Step("threshold", wanted, after, crossed[0], crossed[1])
    if calm := _calm(threshold, readings):
        after = max(0, wanted - threshold.scale_down.step)
        return Step("threshold", wanted, after, "Calm", calm)
    return Step("threshold", wanted, wanted, "WithinThresholds", _summary(readings))


def _readings(policy: PolicySpec, seen: Snapshot, memory: Memory) -> dict[str, Reading]:
    slots = work.capacity(policy, seen, memory)
    active = work.signal(seen, SignalName.ACTIVE_REQUESTS)
    queued = work.signal(seen, SignalName.QUEUE_DEPTH)
    return {
        "utilization": _ratio(work.utilization, active, slots),
        "queue pressure": _ratio(work.queue_pressure, queued, slots),
        "latency": work.signal(seen, SignalName.LATENCY),
        "error ratio": work.signal(seen, SignalName.ERROR_RATIO),
    }


def _ratio(of: work.Ratio, amount: Reading, slots: Reading) -> Reading:
    if isinstance(amount, Missing):
        return amount
    return slots if isinstance(slots, Missing) else of(amount, slots)


def _crossed(threshold: Threshold, readings: dict[str, Reading]) -> tuple[str, str] | None:
    up = threshold.scale_up
    limits = (
        ("utilization", up.utilization, "HighUtilization"),
        ("queue pressure", up.queue_pressure, "HighQueuePressure"),
        ("latency", up.latency.total_seconds(), "HighLatency"),
    )
    for name, limit, reason in limits:
        reading = readings[name]
        if not isinstance(reading, Missing) and reading > limit:
            return reason, f"{name} {_say(name, reading)} is above {_say(name, limit)}"
    return None


def _calm(threshold: Threshold, readings: dict[str, Reading]) -> str:
    down = threshold.scale_down
    limits = (
        ("utilization", down.utilization),
        ("queue pressure", down.queue_pressure),
        ("error ratio", down.error_ratio),
    )
    said = []
    for name, limit in limits:
        reading = readings[name]
        if isinstance(reading, Missing) or reading >= limit:
            return ""
        said.append(f"{name} {_say(name, reading)} is below {_say(name, limit)}")
    return ", ".join(said)


def _summary(readings: dict[str, Reading]) -> str:
    return ", ".join(
        f"{name} {'unknown' if isinstance(reading, Missing) else _say(name, reading)}"
        for name, reading in readings.items()
    )


def _say(name: str, amount: float) -> str:
    return f"{amount:.1f}s" if name == "latency" else format_percent(round(amount, 3))
