"""Conditions in the common form of Kubernetes: a verdict each, and since when it holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from agentscaler.api.status import Condition, ConditionStatus, ConditionType


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said about one aspect now."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str


def holds(about: ConditionType, reason: str, message: str) -> Verdict:
    """Say that it is so."""
    return Verdict(about, ConditionStatus.TRUE, reason, message)


def fails(about: ConditionType, reason: str, message: str) -> Verdict:
    """Say that it is not so."""
    return Verdict(about, ConditionStatus.FALSE, reason, message)


def unclear(about: ConditionType, reason: str, message: str) -> Verdict:
    """Say that nobody can tell."""
    return Verdict(about, ConditionStatus.UNKNOWN, reason, message)


def turn(
    old: Iterable[Condition], verdicts: Iterable[Verdict], *, generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Give the conditions for these verdicts; those whose status stays keep their time.

    An aspect without a verdict has no condition: nothing is known of it any more.
    """
    before = {condition.type: condition for condition in old}
    return tuple(
        _turned(before.get(verdict.type), verdict, generation, now) for verdict in verdicts
    )


def find(conditions: Iterable[Condition], about: ConditionType) -> Condition | None:
    """Give the condition of a type."""
    return next((condition for condition in conditions if condition.type is about), None)


def is_true(conditions: Iterable[Condition], about: ConditionType) -> bool:
    """Tell whether the condition is known to hold."""
    condition = find(conditions, about)
    return condition is not None and condition.status is ConditionStatus.TRUE


# The status that needs somebody's attention; ForecastTrusted looks after itself.
_UNWELCOME = frozenset(
    {
        (ConditionType.READY, ConditionStatus.FALSE),
        (ConditionType.METRICS_AVAILABLE, ConditionStatus.FALSE),
        (ConditionType.SCALING_ACTIVE, ConditionStatus.FALSE),
        (ConditionType.SCALING_LIMITED, ConditionStatus.TRUE),
        (ConditionType.REPLICAS_CONTESTED, ConditionStatus.TRUE),
        (ConditionType.CONFLICT, ConditionStatus.TRUE),
        (ConditionType.CONFLICT, ConditionStatus.UNKNOWN),
    }
)


def unwelcome(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Give the conditions that need attention."""
    return tuple(condition for condition in conditions if is_unwelcome(condition))


def is_unwelcome(condition: Condition | Verdict) -> bool:
    """Tell whether a condition needs attention."""
    return (condition.type, condition.status) in _UNWELCOME


def _turned(old: Condition | None, verdict: Verdict, generation: int, now: datetime) -> Condition:
    since = now.replace(microsecond=0)
    if old is not None and old.status is verdict.status:
        since = old.last_transition_time
        said = (old.reason, old.message, old.observed_generation)
        if said == (verdict.reason, verdict.message, generation):
            return old
    return _made(verdict, since, generation)


@lru_cache(maxsize=4096)
def _made(verdict: Verdict, since: datetime, generation: int) -> Condition:
    """Make a condition, or take one that says the same.

    Most conditions of most policies do: they took 2.6 of the 6 KB that a status takes.
    """
    return Condition(
        type=verdict.type,
        status=verdict.status,
        reason=verdict.reason,
        message=verdict.message,
        last_transition_time=since,
        observed_generation=generation,
    )


def shared(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """Give conditions that were read as those that were made before and say the same."""
    return tuple(
        _made(
            Verdict(each.type, each.status, each.reason, each.message),
            each.last_transition_time,
            each.observed_generation,
        )
        for each in conditions
    )
