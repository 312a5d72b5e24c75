"""The same key to the same backend, without letting a popular key drown one."""

from collections.abc import Sequence
from math import ceil

from agentscaler.gateway.routing import rendezvous
from agentscaler.gateway.routing.picking import Picked, Request


class ConsistentHash:
    """Rendezvous hashing with bounded loads.

    No backend gets beyond `load_factor` times its weighted share of what is under way; what does
    not fit goes to the key's next (Mirrokni, Thorup and Zadimoghaddam, 2018).
    """

    def __init__(self, load_factor: float = 1.25) -> None:
        if load_factor < 1:
            raise ValueError("load_factor must be at least 1: below, nobody may take the request")
        self._load_factor = load_factor

    def pick(
        self, request: Request, candidates: Sequence[Picked], members: Sequence[Picked]
    ) -> Picked:
        """Take the key's best backend that is below the bound."""
        load = sum(each.active for each in candidates) + 1
        weight = sum(each.weight for each in candidates)
        # Somebody is below: were all at or above their bounds, they would hold `load` or more.
        fitting = [
            each
            for each in candidates
            if each.active < ceil(self._load_factor * load * each.weight / weight)
        ]
        return rendezvous.first(request.spread_key, fitting)
