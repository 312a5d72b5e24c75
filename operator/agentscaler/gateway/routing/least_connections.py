"""The backend with the fewest requests under way."""

from collections.abc import Sequence

from agentscaler.gateway.routing.picking import Picked, Request, drawn


class LeastConnections:
    """Requests under way, this one included, over the weight; chance among equals."""

    def pick(
        self, request: Request, candidates: Sequence[Picked], members: Sequence[Picked]
    ) -> Picked:
        """Take the idlest."""
        loads = [(each.active + 1) / each.weight for each in candidates]
        least = min(loads)
        equals = [each for each, load in zip(candidates, loads, strict=True) if load == least]
        return drawn(request, equals)
