"""When a backend that answers badly is left out for a while. Pure."""

from dataclasses import dataclass
from typing import Final

MAX_EJECTIONS_COUNTED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ejection:
    """Left out after errors in a row, or as an outlier among its fleet; longer each time.

    At most `max_ratio` of the fleet is out at once: when all fail, the fault lies behind them, and
    a fleet of one is never ejected.
    """

    consecutive_errors: int = 5
    outlier_margin_ratio: float = 0.4
    outlier_responses: int = 20
    base_seconds: float = 30.0
    max_seconds: float = 300.0
    max_ratio: float = 0.5

    def is_due(
        self, *, errors_in_a_row: int, responses: int, error_ratio: float, others_ratio: float
    ) -> bool:
        """Tell whether a backend that just failed should go."""
        if errors_in_a_row >= self.consecutive_errors:
            return True
        is_known = responses >= self.outlier_responses
        return is_known and error_ratio - others_ratio > self.outlier_margin_ratio

    def may_go(self, ejected: int, members: int) -> bool:
        """Tell whether the fleet can spare one more."""
        return ejected + 1 <= self.max_ratio * members

    def seconds(self, times: int) -> float:
        """Tell how long the `times`-th ejection lasts."""
        return min(self.max_seconds, self.base_seconds * min(times, MAX_EJECTIONS_COUNTED))
