"""Scaling events, newest first: recorded before they are carried out, settled afterwards.

An event has an identity made from what it is, so that the same decision, taken up again by another
process after a crash, is the same event.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final, TypeAlias

from agentscaler.api.fields import format_time
from agentscaler.api.policy import Mode, Policy
from agentscaler.api.status import MAX_LINE, Outcome, ScalingEvent
from agentscaler.decide.decision import Decision, Direction

History: TypeAlias = tuple[ScalingEvent, ...]

_SECOND: Final = timedelta(seconds=1)
_OPEN: Final = frozenset({Outcome.PENDING, Outcome.FAILED})
OVERTAKEN: Final = "overtaken by a newer decision"


def identify(uid: str, at: datetime, before: int, after: int) -> str:
    """Give the identity of a scaling: ten hex digits, the same for the same decision."""
    text = f"{uid} {format_time(at)} {before} {after}"
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def draft(policy: Policy, decision: Decision, signals: str) -> ScalingEvent:
    """Make the event of a decision that moves the count: pending, or only recommended."""
    recommended = policy.spec.mode is Mode.RECOMMEND
    return ScalingEvent(
        id=identify(policy.uid, decision.at, decision.current, decision.replicas),
        time=decision.at.replace(microsecond=0),
        from_=decision.current,
        to=decision.replicas,
        reason=decision.reason,
        message=decision.message,
        signals=signals,
        outcome=Outcome.RECOMMENDED if recommended else Outcome.PENDING,
    )


def is_under_way(history: History, decision: Decision, mode: Mode) -> bool:
    """Tell whether the newest event is this very move, made for the same mode and not applied."""
    newest = history[0] if history else None
    standing = {Outcome.RECOMMENDED} if mode is Mode.RECOMMEND else _OPEN
    return (
        newest is not None
        and newest.outcome in standing
        and (newest.from_, newest.to) == (decision.current, decision.replicas)
    )


def record(history: History, event: ScalingEvent, *, limit: int) -> History:
    """Put an event in front, unless it is there already; what was pending is overtaken by it."""
    if any(known.id == event.id for known in history):
        return history[:limit]
    return (event, *overtake(history))[:limit]


def settle(history: History, landed: ScalingEvent | None) -> History:
    """Mark the event that has landed, if one has, as applied."""
    return history if landed is None else mark(history, landed.id, Outcome.APPLIED)


def landed(
    past: Iterable[ScalingEvent], current: int, now: datetime, *, ours: bool, patience: timedelta
) -> ScalingEvent | None:
    """Give the event that has given the target its count though nobody heard of it, if one did.

    The answer was lost, or its asker ended. What is told as failed may have been carried out, too:
    by a server that was slow, after a look that found it undone. So it counts for a while, if the
    count is `ours`: if nobody else wrote it.
    """
    lately = takewhile(lambda event: event.outcome is not Outcome.APPLIED, past)
    there = (event for event in lately if event.to == current)
    return next(
        (
            event
            for event in there
            if event.outcome is Outcome.PENDING or (ours and _has_failed(event, now - patience))
        ),
        None,
    )


def _has_failed(event: ScalingEvent, since: datetime) -> bool:
    return event.outcome is Outcome.FAILED and event.time >= since


def overtake(history: History) -> History:
    """End what is still pending: what was decided since no longer asks for it."""
    return tuple(
        _ended(event, Outcome.FAILED, OVERTAKEN) if event.outcome is Outcome.PENDING else event
        for event in history
    )


def try_again(history: History, at: datetime) -> History:
    """Have the newest event under way again if it failed: it may be carried out unanswered.

    What is told of it then counts from this try.
    """
    newest, *older = history
    if newest.outcome is not Outcome.FAILED:
        return history
    again = {"outcome": Outcome.PENDING, "failure": "", "time": at.replace(microsecond=0)}
    return (ScalingEvent(**{**dict(newest), **again}), *older)


def mark(history: History, event_id: str, outcome: Outcome, failure: str = "") -> History:
    """Note what became of one event, with the cause if it failed."""
    return tuple(
        _ended(event, outcome, failure[:MAX_LINE])
        if event.id == event_id and event.outcome in _OPEN
        else event
        for event in history
    )


def attempt(history: History, decision: Decision) -> ScalingEvent | None:
    """Give the recorded event that carries out this decision."""
    return history[0] if is_under_way(history, decision, Mode.AUTO) else None


def last_applied(history: History, direction: Direction) -> datetime | None:
    """Tell when the count last moved this way, rounded up: a cooldown must not end early."""
    times = (
        event.time + _SECOND
        for event in history
        if event.outcome is Outcome.APPLIED and direction_of(event) is direction
    )
    return max(times, default=None)


def direction_of(event: ScalingEvent) -> Direction:
    """Tell which way an event moves the count."""
    if event.to == event.from_:
        return Direction.NONE
    return Direction.UP if event.to > event.from_ else Direction.DOWN


def novelties(old: Iterable[ScalingEvent], new: Iterable[ScalingEvent]) -> list[ScalingEvent]:
    """Give the events whose outcome is new, oldest first; a pending one has none yet."""
    known = {(event.id, event.outcome) for event in old}
    return [
        event
        for event in reversed(tuple(new))
        if event.outcome is not Outcome.PENDING and (event.id, event.outcome) not in known
    ]


def _ended(event: ScalingEvent, outcome: Outcome, failure: str = "") -> ScalingEvent:
    if (event.outcome, event.failure) == (outcome, failure):
        return event
    return ScalingEvent(**{**dict(event), "outcome": outcome, "failure": failure})
