"""How much each expert counts: by its own errors of the last hours, for each horizon.

Forecasts wait here for their time to come. Then each is held against the load; the share of an
expert falls with a high power of its mean absolute error, so that the best few decide together.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from agentscaler.forecast import columns
from agentscaler.forecast.columns import Flags, Floats

POWER: Final = 24
_SMALLEST: Final = np.float32(1e-30)
"""Errors below this, and below a thousandth of the usual load, are all the same."""
_SMALLEST_SHARE: Final = np.float32(1e-3)


@dataclass(slots=True)
class Weights:
    """The discounted mean absolute error of each expert, by horizon, and its evidence."""

    error: Floats
    evidence: Floats

    @classmethod
    def blank(cls, horizons: int, experts: int, rows: int) -> "Weights":
        """Give rows whose experts have shown nothing."""
        return cls(
            error=columns.zeros(horizons, experts, rows),
            evidence=columns.zeros(horizons, experts, rows),
        )

    def learn(self, errors: Floats, keep: Floats) -> None:
        """Take the errors of the nearest horizons, NaN where unknown."""
        due = len(errors)
        discount(self.error[:due], self.evidence[:due], np.abs(errors), keep)

    def blend(self, forecasts: Floats, usual: Floats, trial: Floats) -> Floats:
        """Give the weighted mean over experts, for each horizon; NaN where none speaks.

        `trial` is the evidence that an expert (last axis but one) must have at a horizon.
        """
        speaks = np.isfinite(forecasts) & (self.evidence >= trial)
        least = np.maximum(usual * _SMALLEST_SHARE, _SMALLEST)
        logs = np.where(speaks, -POWER * np.log(np.maximum(self.error, least)), -np.inf)
        shares = _shares(logs, speaks)
        total = (shares * np.where(speaks, forecasts, 0)).sum(axis=1)
        return columns.ratio(total, shares.sum(axis=1))


def discount(mean: Floats, evidence: Floats, values: Floats, keep: Floats) -> None:
    """Move means, in place, towards values where known; `keep` is what is left of the past."""
    known = np.isfinite(values)
    evidence *= np.where(known, keep, 1)
    evidence += known
    mean += np.where(known, values - mean, 0) / np.maximum(evidence, 1)


def _shares(logs: Floats, speaks: Flags) -> Floats:
    best = logs.max(axis=1, keepdims=True)
    best = np.where(np.isfinite(best), best, 0)
    return np.where(speaks, np.exp(logs - best), 0)
