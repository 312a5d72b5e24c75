"""The candidate of a policy as the status keeps it, and taken up from there after a restart."""

from datetime import timedelta
from math import floor

from agentscaler.api.status import CandidateStatus, PolicyStatus
from agentscaler.decide.decision import Decision
from agentscaler.decide.shadow import Account, Shadow
from agentscaler.quantities import format_duration, parse_duration

_HOUR = 3600.0


def of(decision: Decision, shadow: Shadow) -> CandidateStatus:
    """Write down what a candidate decided, and both accounts."""
    return CandidateStatus(
        since=shadow.since.replace(microsecond=0),
        desired_replicas=decision.replicas,
        reason=decision.reason,
        message=decision.message,
        replica_hours=_hours(shadow.candidate),
        active_replica_hours=_hours(shadow.active),
        waiting=_span(shadow.candidate),
        active_waiting=_span(shadow.active),
    )


def recall(recorded: PolicyStatus) -> Shadow | None:
    """Take up a candidate as recorded; its cooldowns begin anew."""
    found, at = recorded.candidate, recorded.last_update_time
    if found is None or at is None:
        return None
    return Shadow(
        since=found.since,
        at=at,
        replicas=found.desired_replicas,
        candidate=_account(found.replica_hours, found.waiting),
        active=_account(found.active_replica_hours, found.active_waiting),
    )


def told(status: CandidateStatus) -> str:
    """Tell a candidate in a sentence."""
    return (
        f"{status.message}. It would have cost {status.replica_hours} replica-hours, not "
        f"{status.active_replica_hours}, and let work wait for {status.waiting}, not "
        f"{status.active_waiting}"
    )


def _hours(account: Account) -> str:
    return f"{account.replica_seconds / _HOUR:.2f}"


def _span(account: Account) -> str:
    return format_duration(timedelta(seconds=floor(account.waiting_seconds)))


def _account(hours: str, waiting: str) -> Account:
    seconds = parse_duration(waiting).total_seconds() if waiting else 0.0
    return Account(float(hours or 0) * _HOUR, seconds)
