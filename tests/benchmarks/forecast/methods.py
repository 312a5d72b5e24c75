"""Every method on a load, told at each bucket what it would say of each horizon."""

from collections.abc import Callable

import numpy as np

from agentscaler.forecast import margins
from agentscaler.forecast.columns import Doubles, Floats
from agentscaler.forecast.horizons import AHEAD
from agentscaler.forecast.levels import Levels, decays
from agentscaler.forecast.margins import Margins
from agentscaler.forecast.mixture import EXPERTS, FEWEST_SAMPLES, Mixture
from agentscaler.forecast.timeofday import TimeOfDay
from tests.benchmarks.forecast.loads import Load

OURS = "mixture"
SEED = "time-of-day mean (24 h, ± 1 h)"
Forecasts = dict[str, Doubles]
"""By method: (bucket of origin, horizon of the load)."""
Progress = Callable[[str], None]


def run_bank(load: Load, progress: Progress, quantile: float = 0.9) -> tuple[Forecasts, Doubles]:
    """Let the mixture live through a load; give its and its experts' forecasts, and its upper."""
    mixture = Mixture(load.rhythm, np.array([quantile]))
    plain = TimeOfDay(load.rhythm, np.array([quantile]))
    names = [OURS, SEED, *EXPERTS]
    said = np.full((len(load.loads), len(names), len(load.ahead)), np.nan)
    upper = np.full((len(load.loads), len(load.ahead)), np.nan)
    for bucket, value in enumerate(load.loads):
        mixture.close(bucket, np.array([value]))
        plain.close(bucket, np.array([value]))
        experts = mixture.experts(bucket)[:, :, 0]
        said[bucket, 2:] = [np.interp(load.ahead, AHEAD, expert) for expert in experts.T]
        for place, ahead in enumerate(load.ahead):
            view = mixture.view(0, ahead, 0)
            said[bucket, 0, place], upper[bucket, place] = view.expected, view.upper
            said[bucket, 1, place] = plain.view(0, ahead, 0).expected
        if bucket % 1000 == 0:
            progress(f"{load.name}: bucket {bucket} of {len(load.loads)}")
    return {name: said[:, place] for place, name in enumerate(names)}, upper


def with_margin(load: Load, forecasts: Forecasts, quantile: float = 0.9) -> Forecasts:
    """Put the same adaptive margin on every method."""
    names = list(forecasts)
    said = np.stack([forecasts[name] for name in names], axis=-1).astype(np.float32)
    upper = np.full(said.shape, np.nan)
    state = Margins.blank(len(load.ahead), 1, len(names))
    keep = np.ones((len(load.ahead), 1, 1), np.float32)
    quantiles = np.full(len(names), quantile, np.float32)
    scales = _scales(load, said)
    for bucket, value in enumerate(load.loads):
        errors = np.full((len(load.ahead), 1, len(names)), np.nan, np.float32)
        scale = np.ones((len(load.ahead), len(names)), np.float32)
        for place, ahead in enumerate(load.ahead):
            if bucket >= ahead:
                errors[place, 0] = value - said[bucket - ahead, place]
                scale[place] = scales[bucket - ahead, place]
        state.learn(errors, scale, quantiles, keep)
        upper[bucket] = said[bucket] + np.nan_to_num(state.margin[:, 0] * scales[bucket])
    return {name: np.maximum(0, upper[..., place]) for place, name in enumerate(names)}


def _scales(load: Load, said: Floats) -> Floats:
    levels, decay = Levels.blank(1), decays((1, 5, 15, 45, load.rhythm.buckets))
    scales = np.empty_like(said)
    for bucket, value in enumerate(load.loads):
        levels.update(np.array([value], np.float32), decay)
        recent, usual = levels.level[3], levels.level[4]
        scale = margins.scale_of(said[bucket], recent, usual)
        # As in the mixture: errors of the first samples tell of the start, not of the load.
        scales[bucket] = scale if levels.weight[-1, 0] >= FEWEST_SAMPLES else np.nan
    return scales
