"""What a forecast says about one moment ahead."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Outlook:
    """The load at `lookahead` from now, in slots, and whether it may be acted on.

    `expected` is the middle, `upper` the load that is not exceeded at the policy's quantile.
    `message` says in one sentence why the forecast is trusted or not.
    """

    method: str
    lookahead: timedelta
    expected: float
    upper: float
    trusted: bool
    message: str


@dataclass(frozen=True, slots=True)
class View:
    """What a forecaster says of one row: an outlook without its frame."""

    expected: float
    upper: float
    trusted: bool
    message: str
