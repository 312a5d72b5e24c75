"""By chance, the likelier the faster a backend answers."""

from collections.abc import Sequence
from itertools import accumulate

from agentscaler.gateway.routing.estimates import Fleet
from agentscaler.gateway.routing.picking import Picked, Request

# Below this, differences are noise; also keeps an instant backend from a share without bound.
FLOOR_SECONDS = 0.001


class WeightedResponseTime:
    """Probability proportional to weight / mean response time."""

    def pick(
        self, request: Request, candidates: Sequence[Picked], members: Sequence[Picked]
    ) -> Picked:
        """Draw one."""
        fleet = Fleet.of(members)
        shares = (each.weight / max(fleet.seconds_of(each), FLOOR_SECONDS) for each in candidates)
        reached = list(accumulate(shares))
        mark = request.draw * reached[-1]
        passed = sum(1 for total in reached if total <= mark)
        return candidates[min(passed, len(candidates) - 1)]
