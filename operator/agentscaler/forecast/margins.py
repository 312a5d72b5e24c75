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
_WON: Final = np.float32(1.05)
_LOST: Final = np.float32(1.10)
"""Trust is won within 5 % of the loss of every rival, which is what noise makes of equals, and lost
beyond 10 %: no flicker."""


@dataclass(slots=True)
class Margins:
    """Per horizon and candidate: the margin and the usual residual; per rival: both losses.

    The first candidate is the one to be judged, the others are its rivals. Its own pinball loss is
    kept once for each rival, over the times when that rival had something to say: a rival that
    needs a season is not excused from the first day, it is just not compared on it.
    """

    margin: Floats
    residual: Floats
    seen: Floats
    own: Floats
    loss: Floats
    evidence: Floats
    trusted: Flags
    proof: Floats

    @classmethod
    def blank(cls, horizons: int, candidates: int, rows: int) -> "Margins":
        """Give rows of which nothing is known."""
        shape, rivals = (horizons, candidates, rows), (horizons, candidates - 1, rows)
        return cls(
            margin=columns.zeros(*shape),
            residual=columns.zeros(*shape),
            seen=columns.zeros(*shape),
            own=columns.zeros(*rivals),
            loss=columns.zeros(*rivals),
            evidence=columns.zeros(*rivals),
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
        self._compare(np.where(known, pinball, columns.NAN), keep)
        self.seen[due] += known
        least = 1 / (self.seen[due] + 1)
        size = np.where(known, np.abs(residual) - self.residual[due], 0)
        self.residual[due] += np.maximum(_GAIN, least) * size
        unit = np.maximum(self.residual[due], np.abs(self.margin[due]))
        step = np.maximum(_GAIN, least) * _STEP * unit
        self.margin[due] += np.where(known, step * ((beyond > 0) - (1 - quantiles)), 0)

    def judge(self, trial: Floats) -> None:
        """Trust the first candidate where it is not worse than any rival."""
        limit = np.where(self.trusted, _LOST, _WON)[:, None] * self.loss
        beaten = (self.evidence >= trial[:, None]) & (self.own > limit)
        self.proof = np.minimum(self.evidence.max(axis=1, initial=0) / trial, 1)
        self.trusted = (self.proof >= 1) & ~beaten.any(axis=1)

    def _compare(self, pinball: Floats, keep: Floats) -> None:
        due = slice(len(pinball))
        own = np.where(np.isnan(pinball[:, 1:]), columns.NAN, pinball[:, :1])
        # Both move by the same evidence, which only the second call may add to.
        discount(self.own[due], self.evidence[due].copy(), own, keep)
        discount(self.loss[due], self.evidence[due], pinball[:, 1:], keep)


def scale_of(forecasts: Floats, level: Floats, usual: Floats) -> Floats:
    """Tell the scale of the residuals of forecasts, given the recent and the usual level."""
    height = np.maximum(forecasts, level)
    return np.sqrt(height) * np.sqrt(np.maximum(usual, _LEAST_SHARE * height))
