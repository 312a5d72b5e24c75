"""What the mixture says at present: worked out for all rows at once, read one row at a time."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from agentscaler.forecast import columns
from agentscaler.forecast.columns import Doubles, Flags, Floats
from agentscaler.forecast.horizons import AHEAD, LONGEST
from agentscaler.forecast.margins import Margins
from agentscaler.forecast.outlook import View

_AHEAD: Final = AHEAD.tolist()
_BETWEEN: Final = np.sqrt(AHEAD[1:] * AHEAD[:-1]).tolist()
"""Where the nearest horizon changes, as the ratio of times goes."""
_NAIVE: Final = ("the last value", "the average of five buckets", "the mean of the time of day")
_TOO_OLD: Final = LONGEST
"""Buckets without a sample after which a forecast is a guess: no error is known that far ahead."""


@dataclass(slots=True)
class Verdicts:
    """Per horizon: the expected and the upper load, and whether the record speaks for them."""

    quantile: Floats
    silence: Floats
    expected: Floats
    upper: Floats
    trusted: Flags
    proof: Floats
    own: Floats
    loss: Floats

    @classmethod
    def blank(cls, horizons: int, quantiles: Doubles) -> "Verdicts":
        """Give rows of which nothing can be said."""
        rows = len(quantiles)
        return cls(
            quantile=quantiles.astype(np.float32),
            silence=columns.unknown(rows),
            expected=columns.zeros(horizons, rows),
            upper=columns.zeros(horizons, rows),
            trusted=np.zeros((horizons, rows), np.bool_),
            proof=columns.zeros(horizons, rows),
            own=columns.zeros(horizons, len(_NAIVE), rows),
            loss=columns.zeros(horizons, len(_NAIVE), rows),
        )

    def note(self, loads: Floats) -> None:
        """Count how long nothing was seen."""
        self.silence = np.where(np.isfinite(loads), 0, self.silence + 1)

    def settle(self, expected: Floats, scale: Floats, record: Margins) -> None:
        """Say what follows from the forecasts and their record."""
        self.expected = np.where(np.isfinite(expected), expected, np.float32(0))
        margin = record.margin[:, 0] * scale
        self.upper = self.expected + np.where(margin > 0, margin, np.float32(0))
        self.trusted, self.proof = record.trusted, record.proof
        self.own, self.loss = record.own, record.loss

    def view(self, slot: int, ahead: float, over: float) -> View:
        """Look `ahead` buckets on and `over` more; between horizons the load is a straight line.

        While nothing is seen, the forecast is as uncertain as one made at the last sample: the
        margin and the trust are those of a horizon that is longer by the silence.
        """
        last = ahead + over
        points = [ahead]
        if over > 0:
            points += [*(point for point in _AHEAD if ahead < point < last), last]
        expected = max(_between(self.expected[:, slot].tolist(), points))
        upper = max(_between(self.upper[:, slot].tolist(), points))
        silence = float(self.silence[slot])
        if 0 < silence <= _TOO_OLD:
            upper = max(upper, expected + self._margin(slot, last + silence))
            ahead += silence
        trusted, why = self._trust(slot, bisect_left(_BETWEEN, ahead))
        return View(expected, max(expected, upper), trusted, why)

    def _margin(self, slot: int, ahead: float) -> float:
        margins: list[float] = (self.upper[:, slot] - self.expected[:, slot]).tolist()
        return max(_between(margins, [ahead]))

    def _trust(self, slot: int, horizon: int) -> tuple[bool, str]:
        """Tell whether the forecast may be acted on, and why, in words."""
        silence = float(self.silence[slot])
        if not silence <= _TOO_OLD:
            return False, f"no sample for {silence:.0f} buckets" if silence > 0 else "no sample yet"
        proof = float(self.proof[horizon, slot])
        if proof < 1:
            return False, f"still learning: {proof:.0%} of the evidence it needs"
        owns, rivals = self.own[horizon, :, slot].tolist(), self.loss[horizon, :, slot].tolist()
        shares = [
            own / rival if rival > 0 else float(own > 0)
            for own, rival in zip(owns, rivals, strict=True)
        ]
        share = max(shares)
        rival = _NAIVE[shares.index(share)]
        trusted = bool(self.trusted[horizon, slot])
        return trusted, f"its loss is {share:.2f} times that of {rival}, the best naive forecast"


def _between(loads: list[float], points: list[float]) -> Iterator[float]:
    """Read the line through the loads of the horizons; beyond its ends it is level.

    In Python, because for one row `np.interp` takes five times as long.
    """
    for point in points:
        after = bisect_right(_AHEAD, point)
        if after in {0, len(_AHEAD)}:
            yield loads[min(after, len(loads) - 1)]
            continue
        left, right = _AHEAD[after - 1], _AHEAD[after]
        low, high = loads[after - 1], loads[after]
        yield low + (high - low) * (point - left) / (right - left)
