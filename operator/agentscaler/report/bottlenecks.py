"""What a status says of the agent's bottleneck, and when that is worth telling."""

from typing import Final

from agentscaler.api.status import Bottleneck, BottleneckStatus, PolicyStatus

# Why it is unknown, the conditions tell; that replicas start, the scaling told.
_UNTOLD: Final = frozenset({Bottleneck.NONE, Bottleneck.UNKNOWN, Bottleneck.REPLICAS_STARTING})


def verdict_of(status: PolicyStatus) -> str:
    """Give the verdict; not to have looked yet is as good as to have found nothing."""
    return status.bottleneck.verdict if status.bottleneck else Bottleneck.NONE


def found_in(status: PolicyStatus) -> BottleneckStatus | None:
    """Give the bottleneck, if there is one."""
    return None if verdict_of(status) in _UNTOLD else status.bottleneck
