"""How much more than its load a fleet needs, learned from how long requests really wait.

The reserve is counted in square roots of the load, as in square-root staffing (`staffing`): with a
load of R slots, R + reserve x sqrt(R) are wanted. It rises while more requests than agreed wait too
long and falls, far more slowly, while fewer do, so that after some days the share of late requests
is the agreed one, whatever the load is like. No formula of queueing is needed for that, hence no
assumption on how requests arrive or how long they take.
"""

from datetime import timedelta
from math import exp, log, sqrt
from typing import Final

from agentscaler.api.policy import PolicySpec
from agentscaler.api.signals import SignalName
from agentscaler.api.strategies import Demand, WaitTarget
from agentscaler.decide import work
from agentscaler.decide.decision import Memory
from agentscaler.decide.snapshot import Missing, Snapshot

FIRST: Final = 0.0
"""The reserve before anything was learned: the highest load of the cooldown has room in itself."""
LEAST: Final = -2.0  # half of the load is the floor in any case: see slots_for
MOST: Final = 4.0
_AIM: Final = 0.8  # of the share that may be late: what was late is known a minute too late
_LEAST_LATE: Final = 0.001  # where nobody at all may be late, one in a thousand is
_PER_HOUR: Final = 0.15  # for each time that the late share exceeds its aim
_MOST_AT_ONCE: Final = 0.5
_QUANTILE: Final = 0.95
"""Which quantile the reading of the wait is, where nothing else is set."""
_LONGEST: Final = timedelta(minutes=1)  # a reading says nothing of the time before its window


def present(seen: Snapshot, memory: Memory) -> float | None:
    """Give the reserve to be kept now; None where nobody tells how long requests wait."""
    if memory.reserve is not None:
        return memory.reserve
    return None if isinstance(work.signal(seen, SignalName.WAIT), Missing) else FIRST


def learned(policy: PolicySpec, seen: Snapshot, memory: Memory) -> float | None:
    """Give the reserve for the decisions to come.

    It does not rise while the fleet is smaller than was advised: replicas that a limit withholds
    would not come by asking for more.
    """
    demand = policy.sizing
    if not isinstance(demand, Demand):
        return memory.reserve
    reserve, late = present(seen, memory), _late_share(demand.wait, policy, seen, memory)
    if reserve is None or late is None or not memory.advices:
        return reserve
    last = memory.advices[-1]
    hours = min(max(seen.now - last.at, timedelta(0)), _LONGEST) / timedelta(hours=1)
    allowed = _AIM * max(1 - demand.wait.attainment, _LEAST_LATE)
    change = min(_PER_HOUR * hours * (late / allowed - 1), _MOST_AT_ONCE)
    if change > 0 and seen.replicas.current < last.replicas:
        return reserve
    return min(max(reserve + change, LEAST), MOST)


def slots_for(load: float, reserve: float) -> float:
    """Give the slots for a load; more load never needs fewer, also with a negative reserve."""
    return max(load + reserve * sqrt(load), load / 2)


def _late_share(
    agreed: WaitTarget, policy: PolicySpec, seen: Snapshot, memory: Memory
) -> float | None:
    """Estimate the share of requests that wait longer than agreed; None if nothing tells.

    Two witnesses, of which the worse counts: the quantile of the wait over the last minute, whose
    tail is taken for exponential, and the queue, which takes its length over the fleet's rate to
    be served.
    """
    wait, target = work.signal(seen, SignalName.WAIT), agreed.target.total_seconds()
    if isinstance(wait, Missing):
        return None
    return max(_beyond(target, wait), _queued_beyond(target, policy, seen, memory))


def _beyond(target: float, wait: float) -> float:
    """Give the share above `target` of an exponential wait whose quantile is `wait`."""
    return exp(log(1 - _QUANTILE) * target / wait) if wait > 0 else 0.0


def _queued_beyond(target: float, policy: PolicySpec, seen: Snapshot, memory: Memory) -> float:
    """Give the share of the queue that will not begin in time at the present rate."""
    queued = work.signal(seen, SignalName.QUEUE_DEPTH)
    each, service = work.slots_per_replica(policy, seen, memory), work.service_seconds(seen)
    if isinstance(queued, Missing) or isinstance(each, Missing) or service is None:
        return 0.0
    rate = each * seen.replicas.ready / service
    return max(0.0, 1 - target * rate / queued) if queued > 0 else 0.0
