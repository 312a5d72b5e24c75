"""A policy object explained: all that `agentscaler explain` shows, as plain data.

It works from the object alone, its status above all, so that whoever may read a policy can have it
explained, with no access to the metrics.
"""

from collections.abc import Mapping
from typing import Any

from agentscaler.api.fields import format_time
from agentscaler.api.status import DecisionStatus, PolicyStatus, StepStatus
from agentscaler.report import conditions, limits, readings, status

Account = dict[str, Any]


def of(body: Mapping[str, Any]) -> Account:
    """Explain a policy object as the API server gives it; what is unknown is None or empty."""
    metadata, spec = body["metadata"], body.get("spec") or {}
    recorded = status.read(body.get("status"))
    seen = recorded.status
    return {
        "namespace": metadata["namespace"],
        "policy": metadata["name"],
        "target": seen.target or _target(spec),
        "bounds": {"min": spec.get("minReplicas"), "max": spec.get("maxReplicas")},
        "mode": spec.get("mode") or seen.mode or None,
        "asOf": seen.last_update_time and format_time(seen.last_update_time),
        "isCurrent": seen.observed_generation == metadata.get("generation", 0),
        "replicas": {
            "current": seen.current_replicas,
            "ready": seen.ready_replicas,
            "desired": seen.desired_replicas,
        },
        "leadTime": seen.lead_time or None,
        "slotsPerReplica": seen.slots_per_replica or None,
        "limits": {
            **(seen.limits.model_dump(by_alias=True, mode="json") if seen.limits else {}),
            "told": list(limits.told(seen.limits)),
        },
        "readings": _readings(seen),
        "decision": _decision(seen.decision),
        "forecast": seen.forecast and seen.forecast.model_dump(by_alias=True, mode="json"),
        "candidate": seen.candidate and seen.candidate.model_dump(by_alias=True, mode="json"),
        "attention": [
            condition.model_dump(by_alias=True, mode="json")
            for condition in conditions.unwelcome(seen.conditions)
        ],
        "history": [event.model_dump(by_alias=True, mode="json") for event in seen.history],
        "unreadable": list(recorded.dropped),
    }


def _target(spec: Mapping[str, Any]) -> str:
    ref = spec.get("scaleTargetRef") or {}
    return f"{ref.get('kind', 'Deployment')}/{ref.get('name', '?')}"


def _readings(seen: PolicyStatus) -> list[Account]:
    known = [
        {
            "name": name,
            "value": seen.signals[name],
            "meaning": readings.meaning(name),
            "missing": None,
        }
        for name in readings.ordered(seen.signals)
    ]
    missing = [
        {
            "name": name,
            "value": None,
            "meaning": readings.meaning(name),
            "missing": seen.missing[name],
        }
        for name in readings.ordered(seen.missing)
    ]
    return known + missing


def _decision(decision: DecisionStatus | None) -> Account | None:
    if decision is None:
        return None
    bound = _binding(decision.steps)
    steps = [
        {**step.model_dump(by_alias=True, mode="json"), "binding": at == bound}
        for at, step in enumerate(decision.steps)
    ]
    return {**decision.model_dump(by_alias=True, mode="json"), "steps": steps}


def _binding(steps: tuple[StepStatus, ...]) -> int:
    """Find the step that bound the decision: the last that changed the count, else the first."""
    changing = [at for at, step in enumerate(steps) if step.before != step.after]
    return changing[-1] if changing else 0
