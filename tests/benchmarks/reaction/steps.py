"""Steps of load, from the moment they can be seen to the moment they are answered.

A step is raised on the page of an agent, handed out with a page, visible once Prometheus has taken
that page in, and answered when the watch tells that the target has more replicas.
"""

import asyncio
from dataclasses import dataclass
from math import ceil, inf


@dataclass(slots=True)
class Step:
    """One step of one agent; times are seconds of one monotonic clock."""

    page: int | None = None
    visible: float | None = None
    answered: float | None = None

    def reaction(self) -> float:
        """Give the seconds from visible to answered; infinite for a step never answered."""
        if self.answered is None or self.visible is None:
            return inf
        # The watch may be faster than our own look at Prometheus.
        return max(0.0, self.answered - self.visible)


class Steps:
    """All steps of one measurement; of each agent one at a time is open."""

    def __init__(self) -> None:
        self.all: list[Step] = []
        self.unasked = 0
        self._open: dict[str, Step] = {}
        self._changed = asyncio.Event()

    def open(self, agent: str) -> None:
        """Raise the load of an agent; what it did not answer so far stays unanswered."""
        self._open[agent] = Step()
        self.all.append(self._open[agent])

    def hand_out(self, page: int) -> None:
        """Note that a page with all steps so far was given to Prometheus."""
        for step in self._open.values():
            if step.page is None:
                step.page = page

    def see(self, page: int, now: float) -> None:
        """Note that Prometheus has taken a page in."""
        for step in self.all:
            if step.visible is None and step.page is not None and step.page <= page:
                step.visible = now
        self._changed.set()

    def answer(self, agent: str, now: float) -> None:
        """Note that an agent was given more replicas."""
        step = self._open.get(agent)
        if step is None or step.page is None:
            self.unasked += 1
            return
        step.answered = now
        del self._open[agent]
        self._changed.set()

    async def over(self) -> None:
        """Wait until every step was seen, and answered unless another took its place."""
        while self._open or any(step.visible is None for step in self.all):
            await self._changed.wait()
            self._changed.clear()

    def reactions(self) -> list[float]:
        """Give the reaction to each step, the fastest first."""
        return sorted(step.reaction() for step in self.all)


def percentile(ordered: list[float], share: float) -> float:
    """Give the least value that is not below `share` of all (nearest rank)."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)]
