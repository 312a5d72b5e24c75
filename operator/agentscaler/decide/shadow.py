"""The candidate of a policy: decided beside it on the same readings, and never acted on.

It has a fleet of its own, in thought: what it asks for is there after the time that starts need.
The load is the real one, so whatever the candidate would do to the load itself, such as to let a
queue grow, is not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Self

from agentscaler.api.policy import PolicySpec
from agentscaler.api.signals import SignalName
from agentscaler.decide import engine, work
from agentscaler.decide.decision import Decision, Memory, carried_out
from agentscaler.decide.snapshot import Missing, Reading, Snapshot

_LONGEST_POLLS: Final = 4
"""Polls after which nobody knows what happened meanwhile: a longer silence is not counted."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a fleet cost and how long work waited for it, in seconds."""

    replica_seconds: float = 0.0
    waiting_seconds: float = 0.0

    def plus(self, seconds: float, replicas: int, *, waits: bool) -> Self:
        """Give the account after so many seconds more."""
        return type(self)(
            self.replica_seconds + seconds * replicas,
            self.waiting_seconds + (seconds if waits else 0.0),
        )


@dataclass(frozen=True, slots=True)
class Shadow:
    """The candidate's fleet as of `at`, and both accounts since `since`.

    `starting` are replicas that were asked for, each group with the moment when it is ready.
    """

    since: datetime
    at: datetime
    replicas: int
    starting: tuple[tuple[datetime, int], ...] = ()
    memory: Memory = field(default_factory=Memory)
    candidate: Account = field(default_factory=Account)
    active: Account = field(default_factory=Account)

    @property
    def ready(self) -> int:
        """Tell the replicas that serve."""
        return self.replicas - sum(count for _, count in self.starting)


def begin(seen: Snapshot) -> Shadow:
    """Let a candidate begin with the fleet there is."""
    return Shadow(since=seen.now, at=seen.now, replicas=seen.replicas.current)


def follow(
    spec: PolicySpec, seen: Snapshot, shadow: Shadow, start: timedelta
) -> tuple[Decision, Shadow]:
    """Decide for the candidate with the given spec; `start` is the time that a start takes."""
    up = tuple((at, count) for at, count in shadow.starting if at > seen.now)
    grown = replace(_booked(spec, seen, shadow), starting=up, at=seen.now)
    decision = engine.decide(spec, _view(seen, grown), grown.memory)
    return decision, _moved(grown, decision, seen.now + start)


def _booked(spec: PolicySpec, seen: Snapshot, shadow: Shadow) -> Shadow:
    """Book the time since the last decision."""
    seconds = (seen.now - shadow.at).total_seconds()
    if seconds > _LONGEST_POLLS * spec.polling_interval.total_seconds():
        return shadow
    queued = work.signal(seen, SignalName.QUEUE_DEPTH)
    load, each = work.load(seen.signals), work.slots_per_replica(spec, seen, shadow.memory)
    waits = not isinstance(queued, Missing) and queued > 0
    short = load is not None and not isinstance(each, Missing) and load > each * shadow.ready
    return replace(
        shadow,
        candidate=shadow.candidate.plus(seconds, shadow.replicas, waits=short),
        active=shadow.active.plus(seconds, seen.replicas.current, waits=waits),
    )


def _view(seen: Snapshot, shadow: Shadow) -> Snapshot:
    """Show the candidate its own fleet, with as many slots a replica as the real one has."""
    ready = shadow.ready
    starting = shadow.replicas - ready
    counts = replace(seen.replicas, current=shadow.replicas, ready=ready, starting=starting)
    return replace(seen, replicas=counts, signals=_scaled(seen, ready), pods=None)


def _scaled(seen: Snapshot, ready: int) -> Mapping[SignalName, Reading]:
    capacity = seen.signals.get(SignalName.CAPACITY)
    if capacity is None or isinstance(capacity, Missing) or seen.replicas.ready <= 0:
        return seen.signals
    return {**seen.signals, SignalName.CAPACITY: capacity / seen.replicas.ready * ready}


def _moved(shadow: Shadow, decision: Decision, ready_at: datetime) -> Shadow:
    """Carry the decision out in thought: what starts goes first, the newest of it."""
    change = decision.replicas - decision.current
    starting = shadow.starting
    if change > 0:
        starting = (*starting, (ready_at, change))
    gone = max(0, -change)
    kept: list[tuple[datetime, int]] = []
    for at, count in reversed(starting):
        dropped = min(gone, count)
        gone -= dropped
        if count > dropped:
            kept.append((at, count - dropped))
    return replace(
        shadow,
        replicas=decision.replicas,
        starting=tuple(reversed(kept)),
        memory=carried_out(decision),
    )
