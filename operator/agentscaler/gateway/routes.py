"""A route at work: its backends, its line, its counts; and finding the route of a request."""

from collections.abc import Sequence
from typing import Final

from agentscaler.clock import Clock
from agentscaler.gateway.backends import Pool
from agentscaler.gateway.routing.adaptive import Adaptive
from agentscaler.gateway.routing.affinity import Affinity
from agentscaler.gateway.routing.capacity import Capacity
from agentscaler.gateway.routing.hashing import ConsistentHash
from agentscaler.gateway.routing.least_connections import LeastConnections
from agentscaler.gateway.routing.picking import Rule
from agentscaler.gateway.routing.round_robin import RoundRobin
from agentscaler.gateway.routing.sharding import Sharded
from agentscaler.gateway.routing.weighted_response_time import WeightedResponseTime
from agentscaler.gateway.settings import RouteSettings, RuleSettings
from agentscaler.gateway.tallies import Tally
from agentscaler.gateway.waiting import Line

MAX_RETRY_AFTER_SECONDS: Final = 60


class Route:
    """One agent, as the gateway serves it."""

    def __init__(self, settings: RouteSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.tally = Tally()
        self.pool = Pool(
            rule_of(settings.rule),
            clock,
            capacity=settings.capacity,
            ejection=settings.ejection,
            slow_start_seconds=settings.slow_start_seconds,
        )
        self.line = Line(
            self.pool,
            max_waiting=settings.queue.max_waiting,
            wait_seconds=settings.queue.wait_seconds,
        )

    def serves(self, host: str, path: str) -> bool:
        """Tell whether a request is for this route; a prefix ends at a slash."""
        if self.settings.host not in (None, host):
            return False
        prefix = self.settings.path.rstrip("/")
        return path == prefix or path.startswith(f"{prefix}/")

    def retry_after_seconds(self) -> int:
        """Estimate when one more would be served: the work in line over the slots."""
        slots = sum(each.capacity or max(1, each.active) for each in self.pool.backends)
        expected = (self.line.depth + 1) * (self.pool.fleet.mean_seconds or 1.0) / max(1, slots)
        return max(1, min(MAX_RETRY_AFTER_SECONDS, round(expected)))


def route_for(routes: Sequence[Route], host: str, path: str) -> Route | None:
    """Find the route with the longest prefix; one for this very host goes first."""
    name = host.rsplit(":", 1)[0].lower() if not host.endswith("]") else host.lower()
    serving = [route for route in routes if route.serves(name, path)]
    return max(
        serving,
        key=lambda route: (route.settings.host is not None, len(route.settings.path)),
        default=None,
    )


def rule_of(settings: RuleSettings) -> Rule:
    """Make the rule that is configured."""
    rules: dict[str, Rule] = {
        "adaptive": Adaptive(),
        "round-robin": RoundRobin(),
        "least-connections": LeastConnections(),
        "weighted-response-time": WeightedResponseTime(),
        "capacity": Capacity(),
        "hash": ConsistentHash(settings.load_factor),
        "affinity": Affinity(Capacity()),
        "sharded": Sharded(settings.num_shards),
    }
    return rules[settings.name]
