"""Gaps between decisions: nobody knows what happened meanwhile, so they end as a start does.

A policy is paused, another autoscaler has its target, the cluster does not answer: the advices of
the time before are then outdated, and what looks the same may have moved. What was learned of the
target stays, and so do the times of its last scalings.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from agentscaler.api.policy import PolicySpec
from agentscaler.decide.decision import Memory
from agentscaler.decide.snapshot import Snapshot

_POLLS: Final = 4
_SHORTEST: Final = timedelta(minutes=2)  # a pass that is late is no gap


def bridged(policy: PolicySpec, seen: Snapshot, memory: Memory) -> Memory:
    """Give what the memory is still worth; after a gap, none of what rests on having looked on."""
    longest = max(_POLLS * policy.polling_interval, _SHORTEST)
    if memory.last is None or seen.now - memory.last <= longest:
        return memory
    limits = memory.limits
    if limits.still is not None and not limits.still.phantom:
        limits = replace(limits, still=None)
    return replace(memory, since=None, advices=(), failures=0, limits=limits)
