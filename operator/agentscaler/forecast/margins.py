"""How far the load goes beyond a forecast: a margin that keeps its promise, and whom to trust.

The margin is an adaptive conformal quantile: it rises when the load went beyond, falls a little
when it did not, so that in the long run the promised share of loads stays below, whatever their
distribution. It is kept in units of a scale that follows the load (the geometric mean of the
forecast and the load of a day), so that it fits the night as well as the day.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from agentscaler.forecast import columns
from agentscaler.forecast.columns import Flags, Floats
from agentscaler.forecast.weights import discount

_GAIN: Final = np.float32(0.02)
_STEP: Final = np.float32(2.5)
"""A step of the margin is this many times the gain, in mean absolute residuals or, where that is
more, in margins: else a margin from worse times would stay when forecasts become good."""
_FARTHEST: Final = np.float32(20)
"""Residuals beyond count as this many scales: a burst out of nothing must not be for ever."""
_SMALLEST: Final = np.float32(1e-30)
_LEAST_SHARE: Final = np.float32(0.01)
_LOST: Final = np.float32(1.05)
"""Trust is lost only when the loss exceeds the best naive one by so much: no flicker."""


@dataclass(slots=True)
class Margins:
    """Per horizon and candidate: the margin, the usual residual, and the pinball loss."""

    margin: Floats
    residual: Floats
    seen: Floats
    loss: Floats
    evidence: Floats
    trusted: Flags
    proof: Floats

    @classmethod
    def blank(cls, horizons: int, candidates: int, rows: int) -> "Margins":
        """Give rows of which nothing is known. The first candidate is the one to be judged."""
        shape = (horizons, candidates, rows)
        return cls(
            margin=columns.zeros(*shape),
            residual=columns.zeros(*shape),
            seen=columns.zeros(*shape),
            loss=columns.zeros(*shape),
            evidence=columns.zeros(*shape),
            trusted=np.zeros((horizons, rows), np.bool_),
            proof=columns.zeros(horizons, rows),
        )

    def learn(self, errors: Floats, scales: Floats, quantiles: Floats, keep: Floats) -> None:
        """Take the errors of the nearest horizons in their scales, NaN where unknown."""
        due = slice(len(errors))
        scale = np.maximum(scales, _SMALLEST)[:, None]
        residual = np.clip(errors / scale, -_FARTHEST, _FARTHEST)
        known = np.isfinite(residual)
        beyond = np.where(known, residual - self.margin[due], 0)
        pinball = np.maximum(quantiles * beyond, (quantiles - 1) * beyond) * scale
        discount(self.loss[due], self.evidence[due], np.where(known, pinball, columns.NAN), keep)
        self.seen[due] += known
        least = 1 / (self.seen[due] + 1)
        size = np.where(known, np.abs(residual) - self.residual[due], 0)
        self.residual[due] += np.maximum(_GAIN, least) * size
        unit = np.maximum(self.residual[due], np.abs(self.margin[due]))
        step = np.maximum(_GAIN, least) * _STEP * unit
        self.margin[due] += np.where(known, step * ((beyond > 0) - (1 - quantiles)), 0)

    def judge(self, trial: Floats) -> None:
        """Trust the first candidate where it is no worse than the best of the others."""
        rivals = np.where(self.evidence[:, 1:] >= trial[:, None], self.loss[:, 1:], np.inf)
        first, best = self.loss[:, 0], rivals.min(axis=1)
        self.proof = np.minimum(self.evidence[:, 0] / trial, 1).astype(np.float32)
        limit = np.where(self.trusted, _LOST, 1) * best
        self.trusted = (self.proof >= 1) & (first <= limit)


def scale_of(forecasts: Floats, level: Floats, usual: Floats) -> Floats:
    """Tell the scale of the residuals of forecasts, given the recent and the usual level."""
    height = np.maximum(forecasts, level)
    return np.sqrt(height) * np.sqrt(np.maximum(usual, _LEAST_SHARE * height))
