"""Strategy 1: size the fleet for the work in flight and waiting."""

from dataclasses import replace
from typing import Final

from agentscaler.api.policy import PolicySpec
from agentscaler.api.signals import LatencyMeaning, SignalName
from agentscaler.api.strategies import Demand
from agentscaler.decide import reserve, smoothing, spares, staffing, work
from agentscaler.decide.decision import Memory, Step
from agentscaler.decide.snapshot import Missing, Snapshot

_WORTH_TELLING: Final = 0.05  # slots


def size(wanted: int, policy: PolicySpec, seen: Snapshot, memory: Memory) -> Step | None:
    """Propose the replicas that serve the present work within the wait target."""
    demand = policy.sizing
    if not isinstance(demand, Demand):
        return None
    each = work.slots_per_replica(policy, seen, memory)
    if isinstance(each, Missing):
        first = work.fewest_for(sum(_known_work(seen)))  # from zero, one has to show its slots
        return Step("demand", wanted, max(wanted, first), "CapacityUnknown", f"held: {each}")
    step = _proposal(wanted, policy, demand, seen, memory, each)
    slow = _slow_model(policy, demand, seen)
    return replace(step, message=step.message + slow) if slow else step


def _known_work(seen: Snapshot) -> tuple[float, float]:
    """Give the requests in service and waiting; one that is not known counts as none."""
    active = work.signal(seen, SignalName.ACTIVE_REQUESTS)
    queued = work.signal(seen, SignalName.QUEUE_DEPTH)
    return (
        0.0 if isinstance(active, Missing) else active,
        0.0 if isinstance(queued, Missing) else queued,
    )


def _proposal(
    wanted: int, policy: PolicySpec, demand: Demand, seen: Snapshot, memory: Memory, each: float
) -> Step:
    """Propose for the level of what is in service, and for all that waits: that is no noise."""
    active, queued = _known_work(seen)
    level, service = smoothing.present(seen, memory), work.service_seconds(seen)
    load = level + queued * _urgency(demand, service)
    slots = slots_for(demand, load, service, reserve.present(seen, memory))
    room = spares.room(policy, demand, seen, memory) if slots else 0.0
    fewest = work.fewest_for(active + queued)
    needed = spares.beyond(demand, max(fewest, work.replicas_for(slots + room, each)))
    waiting = _say(seen, SignalName.QUEUE_DEPTH)
    least = "" if _is_known(seen) else "at least "
    said = f"{_busy(seen, level)} and {waiting} waiting need {least}{slots:.1f} slots"
    said += f" of {each:.3g} a replica{spares.told(room, seen)}"
    if not _is_known(seen):
        return Step("demand", wanted, max(wanted, needed), "DemandIncomplete", said)
    return Step("demand", wanted, needed, "Demand", said, hint=_room(needed, each))


def _busy(seen: Snapshot, level: float) -> str:
    active, _ = _known_work(seen)
    said = f"{_say(seen, SignalName.ACTIVE_REQUESTS)} busy"
    return said if abs(level - active) < _WORTH_TELLING else f"{said} (level {level:.1f})"


def _say(seen: Snapshot, name: SignalName) -> str:
    reading = work.signal(seen, name)
    return "an unknown number" if isinstance(reading, Missing) else f"{reading:.4g}"


def _is_known(seen: Snapshot) -> bool:
    names = (SignalName.ACTIVE_REQUESTS, SignalName.QUEUE_DEPTH)
    return not any(isinstance(work.signal(seen, name), Missing) for name in names)


def _room(needed: int, each: float) -> str:
    if needed == 0:
        return "the first request adds a replica"
    return f"a need above {needed * each:.4g} slots adds a replica"


def slots_for(demand: Demand, load: float, service: float | None, kept: float | None) -> float:
    """Give the slots for a load: few wait too long, and no more than the target share is busy.

    `kept` is the learned reserve; where nothing could be learned, queueing theory has to tell.
    """
    if kept is None:
        patience = 0.0 if service is None else demand.wait.target.total_seconds() / service
        few_wait = staffing.slots_for(load, round(patience, 2), demand.wait.attainment)
    else:
        few_wait = reserve.slots_for(load, kept)
    return max(few_wait, load / demand.target_utilization)


def _urgency(demand: Demand, service: float | None) -> float:
    """Give the slots that one waiting request needs so that the queue is gone in time."""
    if service is None:
        return 1.0
    return min(1.0, service / demand.drain_backlog_within.total_seconds())


def _slow_model(policy: PolicySpec, demand: Demand, seen: Snapshot) -> str:
    """Say when requests are slow although slots are free: no replica would cure that.

    Only of a latency that the policy names: a model of ten seconds is no news to its owner.
    """
    if "latency" not in policy.signals.model_fields_set:
        return ""
    latency = work.signal(seen, SignalName.LATENCY)
    queued = work.signal(seen, SignalName.QUEUE_DEPTH)
    if isinstance(latency, Missing) or isinstance(queued, Missing) or queued > 0:
        return ""
    limit = demand.wait.target.total_seconds()
    if policy.signals.latency.measures is LatencyMeaning.WAIT or latency <= limit:
        return ""
    return f"; responses take {latency:.1f}s though nothing waits: replicas would not help"
