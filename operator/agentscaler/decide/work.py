"""What the readings say about the work: slots busy, requests waiting, slots of one replica.

Every quantity here is a reading: a number, or the reason why it is not known.
"""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Final, TypeAlias

from agentscaler.api.fields import MAX_REPLICAS
from agentscaler.api.policy import PolicySpec
from agentscaler.api.signals import SignalName
from agentscaler.decide.decision import Memory
from agentscaler.decide.snapshot import Missing, Reading, Snapshot, Why

Ratio: TypeAlias = Callable[[float, float], float]

_SHORTEST_SERVICE: Final = 0.001  # seconds: what scrapes cannot resolve is not divided by

NOT_ASKED = Missing(Why.EMPTY, "not read")
_NO_CAPACITY = Missing(
    Why.EMPTY, "the slots of one replica are unknown: set spec.signals.capacity.perReplica"
)


def signal(seen: Snapshot, name: SignalName) -> Reading:
    """Give the reading of a signal; a fleet of no replicas serves nothing."""
    reading = seen.signals.get(name, NOT_ASKED)
    if not isinstance(reading, Missing) or seen.replicas.current > 0:
        return reading  # asked for some twenty times a decision: the usual case comes first
    # Agents at zero replicas export nothing: an empty result is then the truth, not an outage.
    # With replicas asked for but none ready it may be an outage: a node that is cut off.
    serves = name in {SignalName.ACTIVE_REQUESTS, SignalName.CAPACITY}
    return 0.0 if serves and reading.why in {Why.EMPTY, Why.STALE} else reading


def load(signals: Mapping[SignalName, Reading]) -> float | None:
    """Give the slots that are busy or waited for; None where that is not known."""
    active = signals.get(SignalName.ACTIVE_REQUESTS, NOT_ASKED)
    queued = signals.get(SignalName.QUEUE_DEPTH, NOT_ASKED)
    if isinstance(active, Missing) or isinstance(queued, Missing):
        return None
    return active + queued


def slots_per_replica(policy: PolicySpec, seen: Snapshot, memory: Memory) -> Reading:
    """Give the requests that one replica serves at once: as set, as measured, or as remembered."""
    if policy.signals.capacity.per_replica is not None:
        return policy.signals.capacity.per_replica
    measured = _measured_slots(seen)
    steady = memory.ready == seen.replicas.ready
    if measured is not None and (steady or memory.slots_per_replica is None):
        return measured
    if memory.slots_per_replica is not None:
        return memory.slots_per_replica
    return _NO_CAPACITY


def _measured_slots(seen: Snapshot) -> float | None:
    capacity = signal(seen, SignalName.CAPACITY)
    if isinstance(capacity, Missing) or capacity <= 0 or seen.replicas.ready <= 0:
        return None
    return capacity / seen.replicas.ready


def learned_slots(policy: PolicySpec, seen: Snapshot, memory: Memory) -> float | None:
    """Give the slots of a replica to be remembered, for when no replica can tell.

    Metrics trail the cluster by a scrape, so a measurement counts only once the number of ready
    replicas has stood still for one decision.
    """
    slots = slots_per_replica(policy, seen, memory)
    return memory.slots_per_replica if isinstance(slots, Missing) else slots


def capacity(policy: PolicySpec, seen: Snapshot, memory: Memory) -> Reading:
    """Give the slots of the fleet: of the ready replicas and of those that are still starting.

    Starting replicas count, so that a need already answered is not answered twice; once they are
    overdue they count no more.
    """
    each = slots_per_replica(policy, seen, memory)
    if isinstance(each, Missing):
        total = signal(seen, SignalName.CAPACITY)
        return each if isinstance(total, Missing) else total
    starting = 0 if is_overdue(policy, seen, memory) else seen.replicas.starting
    return each * (seen.replicas.ready + starting)


def is_overdue(policy: PolicySpec, seen: Snapshot, memory: Memory) -> bool:
    """Tell whether starting replicas have been starting for longer than the policy allows."""
    asked = memory.last_up or memory.since
    if seen.replicas.starting == 0 or asked is None:
        return False
    return seen.now - asked > policy.startup_deadline


def replicas_for(amount: float, each: float) -> int:
    """Give the replicas that take an amount; never more than a policy may ask for.

    Rounded first, for 2.1 / 0.7 is a little more than 3.
    """
    return ceil(round(min(amount / each, MAX_REPLICAS), 6))


def fewest_for(amount: float) -> int:
    """Give the replicas that work of any size needs at least.

    Only for what was read: `replicas_for` rounds the rest of a level that fades to none, but also
    100 bytes of the 10^9 that one replica takes.
    """
    return int(amount > 0)


def utilization(active: float, slots: float) -> float:
    """Give the busy share of the slots; without slots 1 if there is any demand, else 0."""
    if slots <= 0:
        return 1.0 if active > 0 else 0.0
    return active / slots


def queue_pressure(queued: float, slots: float) -> float:
    """Give the queue as a share of twice the slots, at most 1; without slots 1 if any waits."""
    if slots <= 0:
        return 1.0 if queued > 0 else 0.0
    return min(1.0, queued / (2 * slots))


def service_seconds(seen: Snapshot) -> float | None:
    """Give the mean time of service by Little's law: requests in service over completions."""
    active = signal(seen, SignalName.ACTIVE_REQUESTS)
    ended = signal(seen, SignalName.COMPLETION_RATE)
    if isinstance(active, Missing) or isinstance(ended, Missing) or ended <= 0 or active <= 0:
        return None
    return max(active / ended, _SHORTEST_SERVICE)
