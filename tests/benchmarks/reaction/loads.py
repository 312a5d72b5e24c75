"""The load of every agent, as the one page that Prometheus scrapes for all of them.

Each agent exports what the runtime exports, with four bounds a histogram, as one pod would.
"""

from collections.abc import Sequence
from math import ceil
from typing import Final

from agentscaler import conventions

PAGE: Final = "bench_page"
SLOTS: Final = 4
SERVICE_SECONDS: Final = 6.0
# 12 busy requests are 70 % of the slots of five replicas, less than a replica to spare.
FIRST_LOAD: Final = 12
FIRST_REPLICAS: Final = 5
# Above the tolerance of 10 % of the HPA, and enough for another replica at any size.
GROWTH: Final = 1.5
_BOUNDS: Final = ("1.0", "5.0", "30.0", "+Inf")


class Loads:
    """The agents of one namespace: how busy each is."""

    def __init__(self, namespace: str, agents: Sequence[str]) -> None:
        self.namespace = namespace
        self._busy = dict.fromkeys(agents, FIRST_LOAD)
        self._ended = dict.fromkeys(agents, 0.0)
        self._seconds = 0.0
        self._labels = {name: _labels(namespace, name) for name in agents}

    def grow(self, agent: str) -> None:
        """Have an agent be busier from now on."""
        self._busy[agent] = ceil(GROWTH * self._busy[agent])

    def page(self, number: int, seconds: float) -> str:
        """Write the page; `number` tells it from others, counters have run for `seconds`."""
        lines = [f"{PAGE} {number}"]
        passed, self._seconds = seconds - self._seconds, seconds
        for agent, busy in self._busy.items():
            # Work that grows ends sooner from now on, not in the past as well: a counter that
            # jumps would be a flood of requests, to which more replicas are the right answer.
            self._ended[agent] += busy / SERVICE_SECONDS * passed
            lines += _agent(self._labels[agent], busy, self._ended[agent])
        return "\n".join(lines) + "\n"


def _labels(namespace: str, agent: str) -> str:
    pod = f'{conventions.POD_LABEL}="{agent}-0"'
    names = f'{conventions.NAMESPACE_LABEL}="{namespace}",{conventions.AGENT_LABEL}="{agent}"'
    return f"{names},{pod}"


def _agent(labels: str, busy: int, ended: float) -> list[str]:
    """Write the lines of one agent: nothing waits, requests take one to five or to 30 s."""
    quick, slow, long_, all_ = _BOUNDS
    durations, waits = conventions.REQUEST_DURATION, conventions.REQUEST_WAIT
    return [
        f"{conventions.ACTIVE_REQUESTS}{{{labels}}} {busy}",
        f"{conventions.QUEUE_DEPTH}{{{labels}}} 0",
        f"{conventions.CAPACITY}{{{labels}}} {busy + SLOTS}",
        f"{conventions.REQUESTS_RECEIVED}{{{labels}}} {ended + busy:.1f}",
        f'{conventions.REQUESTS_ENDED}{{{labels},outcome="ok"}} {ended:.1f}',
        f'{durations}_bucket{{{labels},le="{quick}"}} 0',
        f'{durations}_bucket{{{labels},le="{slow}"}} {ended / 2:.1f}',
        f'{durations}_bucket{{{labels},le="{long_}"}} {ended:.1f}',
        f'{durations}_bucket{{{labels},le="{all_}"}} {ended:.1f}',
        f'{waits}_bucket{{{labels},le="{quick}"}} {ended:.1f}',
        f'{waits}_bucket{{{labels},le="{all_}"}} {ended:.1f}',
    ]
