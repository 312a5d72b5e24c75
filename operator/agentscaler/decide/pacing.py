"""How fast the count may move: damping, stabilization, cooldowns, steps."""

from datetime import datetime, timedelta
from operator import attrgetter

from agentscaler.api.policy import PolicySpec
from agentscaler.api.strategies import Demand, Threshold
from agentscaler.decide.decision import Advice, Memory, Step
from agentscaler.decide.snapshot import Snapshot
from agentscaler.quantities import format_duration, format_time

_DEFAULT = Demand()
# The clocks of two machines that lead in turn may differ by this much.
_SKEW = timedelta(minutes=1)
_HEIGHT = attrgetter("replicas", "at")
_SMALL = 0.1  # of the fleet, at least one replica: a shrink that saves little


def damp(wanted: int, policy: PolicySpec, seen: Snapshot, memory: Memory) -> Step | None:
    """Repeat no small shrink that was undone within two cooldowns, until as much has passed."""
    current = seen.replicas.current
    pace = _demand_pace(policy)
    if pace is None or not 0 < current - wanted <= max(1, current * _SMALL):
        return None
    up, down, patience = memory.last_up, memory.last_down, 2 * pace.scale_down.cooldown
    if up is None or down is None or not timedelta(0) < up - down < patience:
        return None
    until = _cooling(up, patience, seen.now)
    if until is None:
        return None
    return Step(
        "damping",
        wanted,
        current,
        "Stabilizing",
        f"the last scale-down was undone after {format_duration(up - down)}",
        hint=f"falls from {format_time(until)} on, unless the need rises again",
    )


def stabilize(wanted: int, policy: PolicySpec, seen: Snapshot, memory: Memory) -> Step | None:
    """Shrink only to the highest advice of the cooldown, so that a short lull removes nothing."""
    current = seen.replicas.current
    pace = _demand_pace(policy)
    if pace is None or wanted >= current:
        return None
    window = pace.scale_down.cooldown
    since = seen.now - window
    highest = max(
        (advice for advice in memory.advices if advice.at > since),
        key=_HEIGHT,
        default=Advice(seen.now, wanted),
    )
    held = min(max(wanted, highest.replicas), current)
    if held == wanted:
        return None
    return Step(
        "stabilization",
        wanted,
        held,
        "Stabilizing",
        f"{highest.replicas} were needed at {format_time(highest.at)}, less than "
        f"{format_duration(window)} ago",
        hint=f"falls from {format_time(highest.at + window)} on, unless the need rises again",
    )


def cool_down(wanted: int, policy: PolicySpec, seen: Snapshot, memory: Memory) -> Step | None:
    """Let the cooldown of the direction pass between two scalings."""
    current = seen.replicas.current
    up, down = _cooldowns(policy)
    if wanted > current and (until := _cooling(memory.last_up, up, seen.now)):
        return _hold("up", wanted, current, until)
    if wanted < current and (until := _cooling(memory.last_down, down, seen.now)):
        return _hold("down", wanted, current, until)
    return None


def limit_step(wanted: int, policy: PolicySpec, seen: Snapshot, _memory: Memory) -> Step | None:
    """Move by at most maxStep at a time."""
    pace = _demand_pace(policy)
    if pace is None:
        return None
    current = seen.replicas.current
    most = current + pace.scale_up.max_step.of(current)
    least = current - pace.scale_down.max_step.of(current)
    held = min(max(wanted, least), most)
    if held == wanted:
        return None
    way = "up" if wanted > current else "down"
    return Step(
        "step",
        wanted,
        held,
        "StepLimited",
        f"maxStep lets it move {way} by {abs(held - current)} at a time",
        hint=f"would be {wanted} without demand.scale{way.capitalize()}.maxStep",
    )


def advised(policy: PolicySpec, seen: Snapshot, memory: Memory, wanted: int) -> tuple[Advice, ...]:
    """Add this decision's advice to those of the cooldown window, oldest first.

    Only advices that no later one exceeds can ever be the highest: all others are dropped, so that
    a window of any length stays short.
    """
    pace = _demand_pace(policy)
    if pace is None:
        return ()
    since = seen.now - pace.scale_down.cooldown
    past = memory.advices
    if memory.since is None:
        past = (Advice(seen.now, seen.replicas.current),)
    kept = [advice for advice in past if advice.at > since and advice.replicas > wanted]
    return (*kept, Advice(seen.now, wanted))


def _demand_pace(policy: PolicySpec) -> Demand | None:
    if isinstance(policy.sizing, Threshold):
        return None
    return policy.sizing or _DEFAULT


def _cooldowns(policy: PolicySpec) -> tuple[timedelta, timedelta]:
    sizing = policy.sizing
    if isinstance(sizing, Threshold):
        return sizing.scale_up.cooldown, sizing.scale_down.cooldown
    # On the way down, stabilization does it.
    return (sizing or _DEFAULT).scale_up.cooldown, timedelta(0)


def _cooling(last: datetime | None, cooldown: timedelta, now: datetime) -> datetime | None:
    """Give the end of the cooldown that still runs.

    A scaling far in the future was written before the clock was set back: it would hold the count
    until then.
    """
    if last is None or now - last >= cooldown or last - now > _SKEW:
        return None
    return last + cooldown


def _hold(way: str, wanted: int, current: int, until: datetime) -> Step:
    return Step(
        "cooldown",
        wanted,
        current,
        "CoolingDown",
        f"the last scale-{way} is too recent",
        hint=f"may scale {way} from {format_time(until)} on",
    )
