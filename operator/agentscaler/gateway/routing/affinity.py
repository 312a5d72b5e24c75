"""A session stays with its instance for as long as that has room."""

from collections.abc import Sequence

from agentscaler.gateway.routing import rendezvous
from agentscaler.gateway.routing.picking import Picked, Request, Rule


class Affinity:
    """The instance follows from the session's hash, so there is no table to lose or to grow.

    Where it is full, or the request has no session, `otherwise` decides.
    """

    def __init__(self, otherwise: Rule) -> None:
        self._otherwise = otherwise

    def pick(
        self, request: Request, candidates: Sequence[Picked], members: Sequence[Picked]
    ) -> Picked:
        """Take the session's instance if it is a candidate."""
        if request.key is not None:
            home = rendezvous.first(request.key, members)
            if home in candidates:
                return home
        return self._otherwise.pick(request, candidates, members)
