"""Say what would help against a bottleneck, most pressing first. Pure."""

from typing import Final

from agentscaler.analyze.bottlenecks import (
    Diagnosis,
    Finding,
    Operation,
    Severity,
    Situation,
)
from agentscaler.api.status import Bottleneck

# What a name holds, and what is usually done about such an operation.
_REMEDIES: Final = (
    ("llm", "cache its answers or batch its calls"),
    ("database", "use a pool of connections or read replicas"),
    ("db", "use a pool of connections or read replicas"),
)
_ELSE: Final = "profile it"

_ADVICE: Final = {
    Bottleneck.CLUSTER_FULL: (
        "add nodes, or lower the requests of the pods or spec.maxReplicas (kubectl describe pod "
        "says what the nodes lack)",
    ),
    Bottleneck.REPLICAS_UNREADY: (
        "look at the pods that are not ready: kubectl describe pod, then their logs",
    ),
    Bottleneck.UNEVEN_LOAD: (
        "spread requests by least connections (docs/gateway.md), or look for sessions that are "
        "bound to one replica",
    ),
    Bottleneck.SLOW_OPERATION: (
        "profile the agent: with operations named in its runtime, the slow one is told",
    ),
}


def recommend(seen: Situation, told: Diagnosis) -> tuple[str, ...]:
    """Say what to do: about the verdict first, then about what else was found."""
    lines = (*_about_verdict(seen, told), *(_about(finding) for finding in told.findings))
    return tuple(dict.fromkeys(lines))


def remedy_for(operation: str) -> str:
    """Say what is usually done about an operation of this name."""
    lowered = operation.lower()
    return next((remedy for part, remedy in _REMEDIES if part in lowered), _ELSE)


def _about_verdict(seen: Situation, told: Diagnosis) -> tuple[str, ...]:
    if told.verdict is Bottleneck.PROVIDER_LIMIT:
        return (
            f"ask {told.subject} for a higher limit, cache or batch its calls, and name it in "
            "spec.limits.providers so that no replica is bought in vain",
        )
    if told.verdict is Bottleneck.SLOW_OPERATION and told.subject:
        return (f"{told.subject}: {remedy_for(told.subject)}",)
    if told.verdict in {Bottleneck.REPLICAS, Bottleneck.COMPUTE} and seen.at_maximum:
        return ("raise spec.maxReplicas: the policy is not allowed to add more",)
    return _ADVICE.get(told.verdict, ())


def _about(finding: Finding) -> str:
    if isinstance(finding.subject, Operation):
        return f"{finding.subject.name}: {remedy_for(finding.subject.name)}"
    advice = "scale it" if finding.severity is Severity.HIGH else "watch it"
    return f"{finding.subject.name}: {advice}"
