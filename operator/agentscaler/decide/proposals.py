"""Custom metrics: each proposes a count of its own; the largest proposal wins."""

from agentscaler.api.policy import PolicySpec
from agentscaler.api.signals import CustomMetric
from agentscaler.decide import work
from agentscaler.decide.decision import Memory, Step
from agentscaler.decide.snapshot import Missing, Reading, Replicas, Snapshot


def propose(wanted: int, policy: PolicySpec, seen: Snapshot, _memory: Memory) -> Step | None:
    """Raise the count to the largest proposal; where the signals are not used, it is the count."""
    if not policy.metrics:
        return None
    proposals = [
        (_replicas_for(metric, reading, seen.replicas), metric, reading)
        for metric in policy.metrics
        if not isinstance(reading := seen.metrics[metric.name], Missing)
    ]
    floor = wanted if policy.sizing is not None else 0
    if len(proposals) < len(policy.metrics):
        floor = max(floor, wanted)  # an unknown metric may want as many as there are
    if not proposals:
        return Step("metrics", wanted, floor, "MetricsIncomplete", "no custom metric is known")
    replicas, metric, reading = max(proposals, key=lambda proposal: proposal[0])
    message = f"{metric.name} {reading:g} at {_say_target(metric)} needs {replicas} replicas"
    return Step("metrics", wanted, max(floor, replicas), "CustomMetric", message)


def _replicas_for(metric: CustomMetric, reading: float, replicas: Replicas) -> int:
    return max(work.fewest_for(reading), _rounded(metric, reading, replicas))


def _rounded(metric: CustomMetric, reading: float, replicas: Replicas) -> int:
    target = metric.target
    if target.per_replica is not None:
        return work.replicas_for(reading, target.per_replica)
    level = target.value or target.utilization or 1.0  # exactly one is given, and above zero
    # A level is shared by those who serve; with none ready, one replica has to begin.
    return work.replicas_for(max(replicas.ready, 1) * reading, level)


def _say_target(metric: CustomMetric) -> str:
    target = metric.target
    if target.per_replica is not None:
        return f"{target.per_replica:g} a replica"
    if target.value is not None:
        return f"a level of {target.value:g}"
    return f"a utilization of {target.utilization or 0:.0%}"


def unknown(policy: PolicySpec, seen: Snapshot) -> list[tuple[str, Missing]]:
    """List the custom metrics that are not known."""
    readings: list[tuple[str, Reading]] = [(m.name, seen.metrics[m.name]) for m in policy.metrics]
    return [(name, reading) for name, reading in readings if isinstance(reading, Missing)]
