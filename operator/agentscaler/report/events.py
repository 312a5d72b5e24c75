"""Kubernetes Events: what is worth telling about a policy and its target, and how it looks.

Events are derived from two statuses, the one before and the one after. Their names are made from
what they tell, so that one told again after a crash is the same object, never a second one.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from agentscaler import conventions
from agentscaler.api.fields import format_time
from agentscaler.api.policy import Policy
from agentscaler.api.status import (
    Condition,
    ConditionStatus,
    ConditionType,
    Outcome,
    PolicyStatus,
    Reason,
    ScalingEvent,
)
from agentscaler.decide.decision import Direction
from agentscaler.report import conditions, history

NORMAL: Final = "Normal"
WARNING: Final = "Warning"
_LONGEST_NAME: Final = 253
_LONGEST_MESSAGE: Final = 1024  # the API server refuses more


@dataclass(frozen=True, slots=True)
class Reference:
    """The object that an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell about one object; `identity` tells it from all others of its reason."""

    about: Reference
    type: str
    reason: str
    message: str
    identity: str
    at: datetime

    @property
    def name(self) -> str:
        """Name the Event: the object, and a hash of what is told of it."""
        told = f"{self.about.uid} {self.reason} {self.identity}"
        digest = hashlib.sha256(told.encode()).hexdigest()[:16]
        return f"{self.about.name[: _LONGEST_NAME - 17].rstrip('.-')}.{digest}"


def refer(policy: Policy) -> Reference:
    """Give the reference to a policy."""
    return Reference(
        conventions.API_VERSION, conventions.KIND, policy.namespace, policy.name, policy.uid
    )


def between(
    old: PolicyStatus,
    new: PolicyStatus,
    *,
    policy: Reference,
    target: Reference | None,
    now: datetime,
) -> tuple[Notice, ...]:
    """Give what there is to tell after a status turned into another: scalings first."""
    told: list[Notice] = []
    for scaling in history.novelties(old.history, new.history):
        told += [_scaling(scaling, about) for about in (policy, target) if about]
    for condition, reason, type_ in _turns(old, new):
        told.append(_turn(condition, reason, type_, policy, now))
        if target and reason == Reason.REPLICAS_CONTESTED:
            told.append(_turn(condition, reason, type_, target, now))
    return (*told, *_bottleneck(old, new, policy, now))


def render(
    notice: Notice, *, name: str, instance: str, first: datetime, count: int
) -> dict[str, Any]:
    """Write a notice as a core/v1 Event of that name, seen `count` times since `first`."""
    about = notice.about
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": about.namespace},
        "involvedObject": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
        "type": notice.type,
        "reason": notice.reason,
        "message": _within(notice.message, _LONGEST_MESSAGE),
        "source": {"component": conventions.FIELD_MANAGER},
        "reportingComponent": conventions.FIELD_MANAGER,
        "reportingInstance": instance,
        "firstTimestamp": format_time(first),
        "lastTimestamp": format_time(notice.at),
        "count": count,
    }


def _scaling(scaling: ScalingEvent, about: Reference) -> Notice:
    failed = scaling.outcome is Outcome.FAILED
    because = f"; not applied: {scaling.failure}" if failed else ""
    return Notice(
        about=about,
        type=WARNING if failed or _is_forced(scaling) else NORMAL,
        reason=_scaling_reason(scaling),
        message=f"{scaling.message}{because} (decision {scaling.id})",
        identity=scaling.id,
        at=scaling.time,
    )


def _is_forced(scaling: ScalingEvent) -> bool:
    return scaling.reason == Reason.DRAIN_FORCED


def _scaling_reason(scaling: ScalingEvent) -> str:
    match scaling.outcome:
        case Outcome.FAILED:
            return Reason.SCALING_FAILED
        case Outcome.RECOMMENDED:
            return Reason.SCALING_RECOMMENDED
        case Outcome.APPLIED | Outcome.PENDING:
            if _is_forced(scaling):
                return Reason.DRAIN_FORCED
            up = history.direction_of(scaling) is Direction.UP
            return Reason.SCALED_UP if up else Reason.SCALED_DOWN


def _bottleneck(
    old: PolicyStatus, new: PolicyStatus, policy: Reference, now: datetime
) -> Iterator[Notice]:
    found, before = new.bottleneck, old.bottleneck
    if found is not None and (before is None or before.verdict != found.verdict):
        yield Notice(
            about=policy,
            type=NORMAL,
            reason=Reason.BOTTLENECK_FOUND,
            message=f"{found.verdict}: {found.message}",
            identity=f"{found.verdict} {format_time(now)}",
            at=now,
        )


def _turns(old: PolicyStatus, new: PolicyStatus) -> Iterator[tuple[Condition, str, str]]:
    """Give the conditions that turned, with the reason and the type of what to tell."""
    for condition in new.conditions:
        before = conditions.find(old.conditions, condition.type)
        match condition.type:
            case ConditionType.READY:
                yield from _readiness(before, condition)
            case ConditionType.METRICS_AVAILABLE:
                yield from _metrics(before, condition)
            case ConditionType.SCALING_ACTIVE:
                applied = condition.reason == Reason.FALLBACK_APPLIED
                if applied and (before is None or before.reason != condition.reason):
                    yield condition, Reason.FALLBACK_APPLIED, WARNING
            case ConditionType.REPLICAS_CONTESTED:
                if _began(before, condition, ConditionStatus.TRUE):
                    yield condition, Reason.REPLICAS_CONTESTED, WARNING
            case _:
                pass


def _readiness(before: Condition | None, now: Condition) -> Iterator[tuple[Condition, str, str]]:
    if now.status is ConditionStatus.FALSE:
        if before is None or (before.reason, before.message) != (now.reason, now.message):
            shared = now.reason in {Reason.TARGET_SHARED, Reason.OTHER_AUTOSCALER}
            yield now, Reason.CONFLICT if shared else now.reason, WARNING
    elif before is not None and before.status is ConditionStatus.FALSE:
        yield now, Reason.RECOVERED, NORMAL


def _metrics(before: Condition | None, now: Condition) -> Iterator[tuple[Condition, str, str]]:
    if _began(before, now, ConditionStatus.FALSE):
        yield now, Reason.METRICS_UNAVAILABLE, WARNING
    elif before is not None and _began(before, now, ConditionStatus.TRUE):
        yield now, Reason.METRICS_RESTORED, NORMAL


def _began(before: Condition | None, now: Condition, status: ConditionStatus) -> bool:
    return now.status is status and (before is None or before.status is not status)


def _turn(condition: Condition, reason: str, type_: str, about: Reference, now: datetime) -> Notice:
    since = format_time(condition.last_transition_time)
    return Notice(
        about=about,
        type=type_,
        reason=reason,
        message=condition.message,
        identity=f"{condition.reason} {since} {condition.observed_generation}",
        at=now,
    )


def _within(text: str, most: int) -> str:
    """Cut a text to a length in bytes of UTF-8."""
    encoded = text.encode()
    if len(encoded) <= most:
        return text
    return encoded[: most - 3].decode(errors="ignore") + "…"
