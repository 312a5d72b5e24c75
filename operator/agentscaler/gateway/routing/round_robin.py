"""One after the other, by name."""

from collections.abc import Sequence

from agentscaler.gateway.routing.picking import Picked, Request


class RoundRobin:
    """Remembers the last name, not a position: positions shift when backends come and go."""

    def __init__(self) -> None:
        self._last = ""

    def pick(
        self, request: Request, candidates: Sequence[Picked], members: Sequence[Picked]
    ) -> Picked:
        """Take the next name after the last, beginning anew after the greatest."""
        picked = min(candidates, key=lambda each: (each.name <= self._last, each.name))
        self._last = picked.name
        return picked
