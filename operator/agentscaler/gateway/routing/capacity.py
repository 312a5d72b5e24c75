"""The backend with the most free slots."""

from collections.abc import Sequence

from agentscaler.gateway.routing.picking import Picked, Request, drawn


class Capacity:
    """Free slots; where none is limited, the fewest requests under way."""

    def pick(
        self, request: Request, candidates: Sequence[Picked], members: Sequence[Picked]
    ) -> Picked:
        """Take the roomiest."""
        rooms = [(each.free, -each.active) for each in candidates]
        most = max(rooms)
        equals = [each for each, room in zip(candidates, rooms, strict=True) if room == most]
        return drawn(request, equals)
