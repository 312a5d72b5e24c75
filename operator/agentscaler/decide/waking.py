"""The first replica, asked for by the gateway, where a request waits for a target at zero."""

from datetime import timedelta
from typing import Final

from agentscaler.api.policy import PolicySpec
from agentscaler.decide.decision import Memory, Step
from agentscaler.decide.snapshot import Snapshot

# By then the line is in Prometheus, with the usual scrapes and polls, and speaks for itself.
FRESH: Final = timedelta(minutes=1)


def wake(wanted: int, _policy: PolicySpec, seen: Snapshot, _memory: Memory) -> Step | None:
    """Want one replica at least while a wake is fresh: the metrics do not know of it yet."""
    if wanted > 0 or seen.woken is None or abs(seen.now - seen.woken) > FRESH:
        return None
    said = "a request waits at the gateway and there is no replica"
    return Step("wake", wanted, 1, "Woken", said)
