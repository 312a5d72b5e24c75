"""What is learned about the limits of a fleet, and carried from one decision to the next.

Records only: who learns them is `providers`, `budget` and `phantoms`. They survive a restart in the
status of the policy.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The replicas whose calls a provider is known to take.

    It was last moved at `since`, and is raised by `step` at a time while few calls are refused.
    """

    provider: str
    replicas: int
    step: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Spend:
    """The replica-hours of the window that began at `start`, as far as `at`."""

    start: datetime
    replica_hours: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Still:
    """Requests in service that nothing has moved since a moment; `phantom` once that is too long.

    What was found to be a phantom stays one until fewer requests are in service.
    """

    requests: float
    since: datetime
    phantom: bool = False


@dataclass(frozen=True, slots=True)
class Learned:
    """All that is known of a policy's limits.

    `replicas` is the count at the last decision, and `grown` what the last growth added to it.
    """

    ceilings: tuple[Ceiling, ...] = ()
    spend: Spend | None = None
    still: Still | None = None
    replicas: int | None = None
    grown: int = 0


UNLEARNED = Learned()
