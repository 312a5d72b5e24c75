"""LightGBM as a yardstick: trained each day on all that was seen, as no operator would."""

import importlib
from importlib.util import find_spec
from typing import Any

import numpy as np

from agentscaler.forecast.columns import Doubles
from agentscaler.forecast.levels import SPANS, Levels, decays
from tests.benchmarks.forecast.loads import Load
from tests.benchmarks.forecast.methods import Progress

_LAGS = (0, 1, 2, 5, 10)
_SETTINGS = {
    "objective": "l1",
    "num_leaves": 31,
    "learning_rate": 0.05,
    "min_data_in_leaf": 40,
    "feature_fraction": 0.8,
    "verbose": -1,
    "num_threads": 1,
    "seed": 1,
    "deterministic": True,
}
_ROUNDS = 200


def is_installed() -> bool:
    return find_spec("lightgbm") is not None


def run_trees(load: Load, progress: Progress) -> Doubles:
    """Forecast each bucket from models that know nothing later: (bucket, horizon)."""
    averages = _averages(load)
    levels = _closest(load, averages)
    features = _features(load, averages, levels)
    said = np.repeat(levels[:, None], len(load.ahead), axis=1)
    day = load.rhythm.buckets
    for start in range(load.judged_from, len(load.loads), day):
        progress(f"{load.name}: LightGBM, day {start // day} of {len(load.loads) // day}")
        today = slice(start, start + day)
        for place, ahead in enumerate(load.ahead):
            model = _train(load, features[ahead], levels, ahead=ahead, until=start)
            ratio = model.predict(features[ahead][today])
            said[today, place] = np.maximum(0, ratio * levels[today])
    return said


def _train(load: Load, features: Doubles, levels: Doubles, *, ahead: int, until: int) -> Any:
    lightgbm = importlib.import_module("lightgbm")
    origins = np.arange(until - ahead)
    truth = load.loads[origins + ahead]
    usable = np.isfinite(truth)
    data = lightgbm.Dataset(
        features[origins][usable],
        truth[usable] / levels[origins][usable],
        weight=levels[origins][usable],
    )
    return lightgbm.train(_SETTINGS, data, num_boost_round=_ROUNDS)


def _closest(load: Load, averages: Doubles) -> Doubles:
    """Choose the average that trees correct: in hindsight, the nearest one bucket on."""
    errors = np.nanmean(np.abs(load.loads[1:, None] - averages[:-1]), axis=0)
    return np.maximum(averages[:, errors.argmin()], 1e-3 * np.nanmean(load.loads))


def _features(load: Load, averages: Doubles, level: Doubles) -> dict[int, Doubles]:
    """Describe the moment of each origin, relative to its level, for each horizon."""
    day, buckets = load.rhythm.buckets, np.arange(len(load.loads))
    recent = [_shifted(load.loads, lag) / level for lag in _LAGS]
    described = {}
    for ahead in load.ahead:
        angle = 2 * np.pi * (buckets + ahead) / day
        past = [
            _shifted(averages[:, 2], days * day + shift) / level
            for days in (1, 2, 7)
            for shift in (0, -ahead)
        ]
        clock = [np.sin(angle), np.cos(angle), (buckets + ahead) // day % 7]
        described[ahead] = np.stack([*recent, *(averages.T / level), *past, *clock, level], axis=1)
    return described


def _averages(load: Load) -> Doubles:
    levels, decay = Levels.blank(1), decays((*SPANS, load.rhythm.buckets))
    averages = np.empty((len(load.loads), len(SPANS)))
    for bucket, value in enumerate(load.loads):
        levels.update(np.array([value], np.float32), decay)
        averages[bucket] = levels.level[: len(SPANS), 0]
    return averages


def _shifted(values: Doubles, back: int) -> Doubles:
    shifted = np.full(len(values), np.nan)
    shifted[back:] = values[: len(values) - back]
    return shifted
