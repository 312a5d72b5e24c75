"""All that one decision may look at: the readings and the replicas of one policy at one instant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from agentscaler.api.signals import SignalName
from agentscaler.forecast.outlook import Outlook


class Why(StrEnum):
    """Why a reading is missing."""

    EMPTY = "Empty"
    STALE = "Stale"
    NOT_A_NUMBER = "NotANumber"
    AMBIGUOUS = "Ambiguous"
    REFUSED = "Refused"
    UNAVAILABLE = "Unavailable"
    TIMEOUT = "Timeout"
    NOT_ALLOWED = "NotAllowed"
    NO_CREDENTIALS = "NoCredentials"


@dataclass(frozen=True, slots=True)
class Missing:
    """A quantity that is not known, which is not the same as zero."""

    why: Why
    detail: str = ""

    def __str__(self) -> str:
        return self.detail or self.why.value


Reading: TypeAlias = float | Missing
"""A finite number, zero or greater, or the reason why there is none."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """The counts of a target: asked for, ready to serve, and still starting.

    The pods of a StatefulSet are numbered from `first_number` on.
    """

    current: int
    ready: int
    starting: int = 0
    rolling_out: bool = False
    first_number: int = 0


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of a target: what it serves, as of `sampled`, and how its removal stands.

    A pod that has not `started` can serve nothing. `draining_since` is when it was chosen to go;
    `detachable` pods take no new requests from then on. `stamped` is true once its controller was
    told to remove it before others.
    """

    name: str
    in_flight: Reading
    sampled: datetime | None = None
    started: bool = True
    ready: bool = True
    draining_since: datetime | None = None
    detachable: bool = False
    stamped: bool = False

    @property
    def is_chosen(self) -> bool:
        """Tell whether the pod was chosen to go."""
        return self.draining_since is not None or self.stamped


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was seen of one policy at `now`.

    `signals` holds only what was asked for: a signal that the policy does not use has no entry.
    `partial` is the warning of a source that answered incompletely; such readings may add
    replicas but never remove any. `pods` are looked at only when some of them are to go.
    `woken` is when the gateway last saw a request wait although there was no replica.
    `lead` is how long a replica was seen to need until it is ready.
    `providers` tells the share of calls that each of them refuses for its limits.
    """

    now: datetime
    replicas: Replicas
    signals: Mapping[SignalName, Reading]
    metrics: Mapping[str, Reading] = field(default_factory=dict)
    gates: Mapping[str, Reading] = field(default_factory=dict)
    outlook: Outlook | None = None
    partial: str = ""
    pods: tuple[Pod, ...] | Missing | None = None
    woken: datetime | None = None
    lead: timedelta | None = None
    providers: Mapping[str, Reading] = field(default_factory=dict)
