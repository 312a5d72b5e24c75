"""What forbids a move: closed gates, unknown readings, a fresh start, a rollout; the fallback."""

from agentscaler.api.policy import FallbackBehavior, PolicySpec
from agentscaler.api.signals import Gate, SignalName
from agentscaler.api.strategies import Threshold
from agentscaler.decide import proposals, work
from agentscaler.decide.decision import Memory, Step
from agentscaler.decide.snapshot import Missing, Snapshot
from agentscaler.quantities import format_percent, format_time


def unknown(policy: PolicySpec, seen: Snapshot, memory: Memory) -> list[tuple[str, Missing]]:
    """List the readings without which nothing may be removed, by name, with the reason of each."""
    missing = [
        (name.value, reading)
        for name in _essential(policy, seen, memory)
        if isinstance(reading := work.signal(seen, name), Missing)
    ]
    return missing + proposals.unknown(policy, seen)


def _essential(policy: PolicySpec, seen: Snapshot, memory: Memory) -> list[SignalName]:
    if policy.sizing is None:
        return []
    names = [SignalName.QUEUE_DEPTH, SignalName.ACTIVE_REQUESTS]
    if isinstance(policy.sizing, Threshold):
        names.append(SignalName.ERROR_RATIO)
    if isinstance(work.slots_per_replica(policy, seen, memory), Missing):
        names.append(SignalName.CAPACITY)
    return names


def close_gates(wanted: int, policy: PolicySpec, seen: Snapshot, _memory: Memory) -> Step | None:
    """Add nothing while a gate is known to be closed."""
    current = seen.replicas.current
    if wanted <= current:
        return None
    for gate in policy.gates:
        reading = seen.gates[gate.name]
        if not isinstance(reading, Missing) and _is_closed(gate, reading):
            said = f"gate {gate.name} is closed: {reading:g} is {_say_limit(gate)}"
            hint = f"would be {wanted} if gate {gate.name} were open"
            return Step("gates", wanted, current, "GateClosed", said, hint=hint)
    return None


def only_up(wanted: int, policy: PolicySpec, seen: Snapshot, memory: Memory) -> Step | None:
    """Remove nothing on unknown or partial readings, right after a start, or during a rollout."""
    current = seen.replicas.current
    if wanted >= current:
        return None
    for reason, said in _doubts(policy, seen, memory):
        hint = f"would be {wanted} otherwise"
        return Step("safety", wanted, current, reason, f"nothing is removed: {said}", hint=hint)
    return None


def fall_back(wanted: int, policy: PolicySpec, seen: Snapshot, memory: Memory) -> Step | None:
    """Follow the policy's fallback once readings were unknown often enough in a row."""
    fallback, failures = policy.fallback, memory.failures + 1
    if failures < fallback.after_failures:
        return None
    missing = unknown(policy, seen, memory)
    if not missing:
        return None
    said = f"{_say_missing(missing)} unknown {failures} times in a row"
    replicas = fallback.replicas or 0
    held = max(wanted, seen.replicas.current)
    if fallback.behavior is FallbackBehavior.HOLD:
        return Step("fallback", wanted, held, "FallbackHold", f"{said}: holding")
    if fallback.behavior is FallbackBehavior.STATIC:
        return Step("fallback", wanted, replicas, "FallbackStatic", f"{said}: {replicas} fixed")
    raised = max(held, replicas)
    return Step("fallback", wanted, raised, "FallbackAtLeast", f"{said}: at least {replicas}")


def _doubts(policy: PolicySpec, seen: Snapshot, memory: Memory) -> list[tuple[str, str]]:
    doubts = []
    if missing := unknown(policy, seen, memory):
        doubts.append(("MetricsMissing", f"{_say_missing(missing)} unknown ({missing[0][1]})"))
    if seen.partial:
        doubts.append(("MetricsPartial", f"the metrics are incomplete ({seen.partial})"))
    if memory.since is None:
        doubts.append(("FirstPass", f"this is the first look {_say_begin(memory)}"))
    if seen.replicas.rolling_out:
        doubts.append(("RollingOut", "a rollout is under way"))
    return doubts


def _say_missing(missing: list[tuple[str, Missing]]) -> str:
    names = ", ".join(name for name, _ in missing)
    return f"{names} {'is' if len(missing) == 1 else 'are'}"


def _say_begin(memory: Memory) -> str:
    return "after a start" if memory.last is None else f"since {format_time(memory.last)}"


def _is_closed(gate: Gate, reading: float) -> bool:
    if gate.above is not None:
        return reading > gate.above
    return gate.below is not None and reading < gate.below


def _say_limit(gate: Gate) -> str:
    if gate.above is not None:
        return f"above {format_percent(gate.above)}"
    return f"below {format_percent(gate.below or 0.0)}"
