"""Phantom load: a counter of requests in service that never falls must not hold replicas for ever.

A process that loses a request without counting its end reports it until it is restarted. Nothing
tells such a request from a slow one but time, and that nothing else happens.
"""

from collections.abc import Mapping
from dataclasses import replace

from agentscaler.api.policy import PolicySpec
from agentscaler.api.signals import SignalName
from agentscaler.decide import work
from agentscaler.decide.decision import Memory, Step
from agentscaler.decide.limits import Still
from agentscaler.decide.snapshot import Missing, Reading, Snapshot
from agentscaler.quantities import format_duration, format_quantity

_ACTIVE = SignalName.ACTIVE_REQUESTS
# While requests come, wait or end, the count may stay the same by chance.
_MOVES = (SignalName.ARRIVAL_RATE, SignalName.COMPLETION_RATE, SignalName.QUEUE_DEPTH)


def still(policy: PolicySpec, seen: Snapshot, memory: Memory) -> Still | None:
    """Follow the requests in service that do not move; any doubt begins anew."""
    active, known = seen.signals.get(_ACTIVE, work.NOT_ASKED), memory.limits.still
    if known is not None and known.phantom:
        return _remaining(known, active)
    if isinstance(active, Missing) or active <= 0 or not _is_quiet(seen.signals):
        return None
    if known is None or known.requests != active or known.since > seen.now:
        return Still(active, seen.now)
    return replace(known, phantom=seen.now - known.since >= policy.limits.phantom_after)


def without(seen: Snapshot, found: Still | None) -> Snapshot:
    """Leave the phantom requests out of what was seen, and of what is expected from it."""
    active = seen.signals.get(_ACTIVE, work.NOT_ASKED)
    if found is None or not found.phantom or isinstance(active, Missing):
        return seen
    phantom, outlook = found.requests, seen.outlook
    if outlook is not None:
        outlook = replace(
            outlook,
            expected=max(0.0, outlook.expected - phantom),
            upper=max(0.0, outlook.upper - phantom),
        )
    signals = {**seen.signals, _ACTIVE: max(0.0, active - phantom)}
    return replace(seen, signals=signals, outlook=outlook)


def tell(wanted: int, policy: PolicySpec, seen: Snapshot, memory: Memory) -> Step | None:
    """Say that requests are left out; the count is the strategy's matter."""
    found = memory.limits.still
    if found is None or not found.phantom:
        return None
    said = (
        f"{format_quantity(found.requests)} requests in service do not count: for "
        f"{format_duration(policy.limits.phantom_after)} none of them ended, and none came"
    )
    return Step("phantoms", wanted, wanted, "PhantomLoad", said)


def _remaining(known: Still, active: Reading) -> Still | None:
    """Keep a phantom until fewer requests are in service: what ended was no phantom."""
    if isinstance(active, Missing) or active >= known.requests:
        return known
    return replace(known, requests=active) if active > 0 else None


def _is_quiet(signals: Mapping[SignalName, Reading]) -> bool:
    return all(signals.get(name) == 0.0 for name in _MOVES)
