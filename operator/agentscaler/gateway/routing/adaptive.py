"""The default: weight, requests under way, response time and errors in one score."""

from collections.abc import Sequence
from dataclasses import dataclass

from agentscaler.gateway.routing.estimates import Fleet
from agentscaler.gateway.routing.picking import Backend, Picked, Request, drawn

# Up to this fleet mean the score is the plain sum. Beyond, response times count relative to it: at
# 15 s the term would reach 150, as much as fifteen requests under way, and all requests would chase
# whoever had the shorter ones lately (simulated: p99 204 s, against 118 s by fewest requests).
PLAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Adaptive:
    """Score = 100 x weight - 10 x active - mean ms / 100 - 1000 x error ratio; the highest wins.

    Never clamped: at 0 all busy backends would tie. Response time and errors are drawn towards the
    fleet's while a backend has few responses (`estimates`); beyond a fleet mean of 2 s the response
    time counts relative to it. Chance decides among equals.
    """

    per_weight: float = 100.0
    per_active: float = 10.0
    per_second: float = 10.0
    per_error_ratio: float = 1000.0

    def pick(
        self, request: Request, candidates: Sequence[Picked], members: Sequence[Picked]
    ) -> Picked:
        """Take the best score."""
        fleet = Fleet.of(members)
        scores = [self.score(each, fleet) for each in candidates]
        best = max(scores)
        equals = [each for each, score in zip(candidates, scores, strict=True) if score == best]
        return drawn(request, equals)

    def score(self, backend: Backend, fleet: Fleet) -> float:
        """Score one backend among its fleet."""
        return (
            self.per_weight * backend.weight
            - self.per_active * backend.active
            - self.per_second * self._weighed_seconds(backend, fleet)
            - self.per_error_ratio * fleet.errors_of(backend)
        )

    @staticmethod
    def _weighed_seconds(backend: Backend, fleet: Fleet) -> float:
        seconds = fleet.seconds_of(backend)
        return seconds * PLAIN_SECONDS / max(PLAIN_SECONDS, fleet.mean_seconds)
