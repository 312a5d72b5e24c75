"""How good a forecast was."""

from dataclasses import asdict, dataclass

import numpy as np

from agentscaler.forecast.columns import Doubles
from tests.benchmarks.forecast.loads import Load

_RAMP = 1.2
_HALF_WINDOW = 2


@dataclass(frozen=True)
class Score:
    """In percent of the load, but for the coverage: percent of the buckets."""

    wape: float
    pinball: float
    coverage: float
    headroom: float
    ramp_shortfall: float

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 2) for name, value in asdict(self).items()}


def score(
    load: Load, expected: Doubles, upper: Doubles, *, ahead: int, quantile: float = 0.9
) -> Score:
    """Judge what was said at each bucket about `ahead` buckets later."""
    origins = np.arange(load.judged_from, len(load.loads) - ahead)
    truth, middle, top = load.loads[origins + ahead], expected[origins], upper[origins]
    known = np.isfinite(truth)
    origins, truth, middle, top = origins[known], truth[known], middle[known], top[known]
    total, beyond = truth.sum(), truth - top
    ramp = _levels(load.loads)[origins + ahead] > _RAMP * _recent(load.loads)[origins]
    short = np.maximum(truth - middle, 0)
    return Score(
        wape=float(100 * np.abs(truth - middle).sum() / total),
        pinball=float(100 * np.maximum(quantile * beyond, (quantile - 1) * beyond).sum() / total),
        coverage=float(100 * (beyond <= 0).mean()),
        headroom=float(100 * np.maximum(-beyond, 0).sum() / total),
        ramp_shortfall=float(100 * short[ramp].sum() / max(1.0, truth[ramp].sum())),
    )


def _levels(loads: Doubles) -> Doubles:
    """Give the mean of five buckets around each."""
    return _window(loads, 2 * _HALF_WINDOW + 1, _HALF_WINDOW)


def _recent(loads: Doubles) -> Doubles:
    """Give the mean of the five buckets up to each."""
    return _window(loads, 2 * _HALF_WINDOW + 1, 0)


def _window(loads: Doubles, width: int, later: int) -> Doubles:
    padded = np.concatenate((np.full(width - 1 - later, np.nan), loads, np.full(later, np.nan)))
    views = np.lib.stride_tricks.sliding_window_view(padded, width)
    known = np.isfinite(views)
    means: Doubles = np.where(known, views, 0).sum(axis=1) / np.maximum(1, known.sum(axis=1))
    return means
