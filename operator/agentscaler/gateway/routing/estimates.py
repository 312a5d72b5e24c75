"""Response times and error ratios drawn towards the fleet's, the more the less is known.

A backend without responses is taken for an average one: treated as instant it would get the whole
burst, treated as slow it would never be tried. The same rule calms what few responses say: one
failure of one response is no ratio of 100 %.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from agentscaler.gateway.routing.picking import Backend

# Responses of its own that weigh as much as all that is known of the others.
PRIOR_RESPONSES = 10


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the backends have in common."""

    mean_seconds: float
    error_ratio: float

    @classmethod
    def of(cls, backends: Iterable[Backend]) -> Self:
        """Average over all responses; zeros while there are none."""
        seconds = errors = 0.0
        responses = 0
        for backend in backends:
            responses += backend.responses
            seconds += (backend.mean_seconds or 0.0) * backend.responses
            errors += backend.error_ratio * backend.responses
        if not responses:
            return cls(0.0, 0.0)
        return cls(seconds / responses, errors / responses)

    def seconds_of(self, backend: Backend) -> float:
        """Estimate the mean response time of `backend`."""
        own = (backend.mean_seconds or 0.0) * backend.responses
        return _blend(own, backend.responses, self.mean_seconds)

    def errors_of(self, backend: Backend) -> float:
        """Estimate the error ratio of `backend`."""
        own = backend.error_ratio * backend.responses
        return _blend(own, backend.responses, self.error_ratio)


def _blend(own: float, responses: int, fleet: float) -> float:
    return (own + PRIOR_RESPONSES * fleet) / (responses + PRIOR_RESPONSES)
