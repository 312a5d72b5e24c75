"""Provider limits: a queue that grows because calls are refused is not cured by replicas.

Each provider has a ceiling that is learned as congestion control learns a window: cut by a share
while too many calls are refused, raised by steps while few are. What is not known moves nothing.
"""

from datetime import datetime, timedelta
from typing import Final

from agentscaler.api.limits import Provider
from agentscaler.api.policy import PolicySpec
from agentscaler.api.signals import SignalName
from agentscaler.decide import work
from agentscaler.decide.decision import Memory, Step
from agentscaler.decide.limits import Ceiling
from agentscaler.decide.snapshot import Missing, Reading, Snapshot
from agentscaler.quantities import format_percent, format_time

# The ratio looks back a minute: judged sooner, one excess would be answered several times.
_PAUSE: Final = timedelta(minutes=1)
# Refusals so soon after a growth are for its suddenness: started at once, replicas call at once.
_AFTERMATH: Final = timedelta(minutes=2)
_KEPT: Final = 0.8  # of the replicas, when the excess lasts
_STEP: Final = 0.05  # of the replicas, by which a ceiling is raised


def limit(wanted: int, policy: PolicySpec, seen: Snapshot, memory: Memory) -> Step | None:
    """Ask for no more replicas than the lowest ceiling, but for as many as are busy."""
    if not policy.limits.providers:
        return None
    busy = _busy(policy, seen, memory)
    named = {provider.name: provider for provider in policy.limits.providers}
    allowed = [(_allowed(ceiling, seen, busy), ceiling) for ceiling in memory.limits.ceilings]
    most, lowest = min(allowed, key=lambda pair: pair[0], default=(wanted, None))
    if lowest is None or wanted <= most:
        return None
    return Step(
        "providers",
        wanted,
        most,
        "ProviderLimited",
        _say(named[lowest.provider], reading_of(seen, lowest.provider), most),
        hint=f"would be {wanted} without provider {lowest.provider}; its ceiling of "
        f"{lowest.replicas} may rise by {lowest.step} from {format_time(lowest.since + _PAUSE)} on",
    )


def learned(policy: PolicySpec, seen: Snapshot, memory: Memory) -> tuple[Ceiling, ...]:
    """Give the ceilings after what was seen; a provider that never refused has none."""
    if not policy.limits.providers:
        return ()
    known = {ceiling.provider: ceiling for ceiling in memory.limits.ceilings}
    following = (
        _follow(provider, known.get(provider.name), policy, seen, memory)
        for provider in policy.limits.providers
    )
    return tuple(ceiling for ceiling in following if ceiling is not None)


def reading_of(seen: Snapshot, provider: str) -> Reading:
    """Give the share of calls that a provider refuses."""
    return seen.providers.get(provider, work.NOT_ASKED)


def _follow(
    provider: Provider,
    known: Ceiling | None,
    policy: PolicySpec,
    seen: Snapshot,
    memory: Memory,
) -> Ceiling | None:
    reading = reading_of(seen, provider.name)
    if isinstance(reading, Missing):
        return known
    if reading > provider.ceiling:
        return _tighter(provider.name, known, policy, seen, memory)
    return known and _looser(known, policy, seen.now)


def _tighter(
    name: str, known: Ceiling | None, policy: PolicySpec, seen: Snapshot, memory: Memory
) -> Ceiling:
    """Freeze the fleet as it is, and cut it if that does not help within the pause."""
    now, current = seen.now, seen.replicas.current
    step = max(1, int(current * _STEP))
    bursts = _is_within(_AFTERMATH, memory.last_up, now) and memory.limits.grown > 0
    if bursts:
        step = max(1, memory.limits.grown // 2)
    if known is None:
        return Ceiling(name, max(1, current), step, now)
    frozen = max(1, min(known.replicas, current))
    if _is_within(_PAUSE, known.since, now):
        return Ceiling(name, frozen, known.step, known.since)
    if bursts:
        return Ceiling(name, frozen, min(step, known.step), now)
    floor = max(1, policy.min_replicas, _busy(policy, seen, memory))
    cut = min(frozen, max(floor, int(frozen * _KEPT)))
    return Ceiling(name, cut, step, now)


def _looser(known: Ceiling, policy: PolicySpec, now: datetime) -> Ceiling | None:
    """Raise the ceiling by its step; one that is out of reach is forgotten."""
    if _is_within(_PAUSE, known.since, now):
        return known
    raised = known.replicas + known.step
    if raised >= policy.max_replicas:
        return None
    return Ceiling(known.provider, raised, known.step, now)


def _allowed(ceiling: Ceiling, seen: Snapshot, busy: int) -> int:
    """Give the most replicas under a ceiling; what runs is not cut on an unknown ratio."""
    most = max(ceiling.replicas, busy)
    if isinstance(reading_of(seen, ceiling.provider), Missing):
        return max(most, seen.replicas.current)
    return most


def _busy(policy: PolicySpec, seen: Snapshot, memory: Memory) -> int:
    """Give the present replicas that it takes to serve what is in service: none of it is cut off.

    More than there are is not meant: that would be growth.
    """
    active = work.signal(seen, SignalName.ACTIVE_REQUESTS)
    each = work.slots_per_replica(policy, seen, memory)
    if isinstance(active, Missing) or isinstance(each, Missing):
        return seen.replicas.current
    needed = max(work.fewest_for(active), work.replicas_for(active, each))
    return min(seen.replicas.current, needed)


def _is_within(span: timedelta, since: datetime | None, now: datetime) -> bool:
    """Tell whether a moment is that recent; one in the future is of a clock that was set back."""
    return since is not None and timedelta(0) <= now - since < span


def _say(provider: Provider, reading: Reading, most: int) -> str:
    if isinstance(reading, Missing):
        return f"provider {provider.name} refused calls, and whether it still does is unknown"
    if reading > provider.ceiling:
        return (
            f"provider {provider.name} refuses {format_percent(round(reading, 3))} of the calls, "
            f"more than {format_percent(provider.ceiling)}: replicas above {most} would be refused"
        )
    return f"provider {provider.name} took the calls of {most} replicas, and refused those of more"
