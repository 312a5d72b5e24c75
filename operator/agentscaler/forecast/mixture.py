"""A forecast made of many simple ones, each trusted by its own record.

Experts: the level over four spans, a damped trend, the mean of the time of day, and earlier days
alike today scaled to four levels. For each horizon a blend of the best few gives the expected load,
a margin above it the upper one. Nothing is trained and nothing is tuned to a load.
"""

from typing import Final

import numpy as np

from agentscaler.forecast import columns, horizons, margins
from agentscaler.forecast.columns import Doubles, Floats, Ints
from agentscaler.forecast.horizons import AHEAD, STRIDES, Waiting
from agentscaler.forecast.levels import SPANS, Levels, decays
from agentscaler.forecast.margins import Margins
from agentscaler.forecast.outlook import View
from agentscaler.forecast.rhythm import Rhythm
from agentscaler.forecast.shapes import Shapes, Slots
from agentscaler.forecast.verdicts import Verdicts
from agentscaler.forecast.weights import Weights

EXPERTS: Final = (
    *(f"level of {span}" for span in SPANS),
    "trend",
    "time of day",
    *(f"days alike at the level of {span}" for span in SPANS),
)
NAIVE: Final = {0: "last value", 1: "average of five", 5: "time of day"}
"""The experts that a forecast must not be worse than, to be trusted."""
_SEASONAL: Final = 5
"""The first expert that needs a season: those from here on must prove themselves first."""
_MEMORY_SHARE: Final = 4
"""Errors of experts forget by half in this part of the season: six hours of a day. The record
that trust rests on takes a whole season: else a rival that suits the hour would seem better."""
_TRIAL_SHARE: Final = 24
"""Evidence of this part of the season counts as a proof: an hour of a day."""

FEWEST_SAMPLES: Final = 10
"""Before that, errors tell of the start and not of the load: no margin is learned from them."""


class Mixture:
    """The state of all rows, and what follows from it for the time ahead."""

    def __init__(self, rhythm: Rhythm, quantiles: Doubles) -> None:
        rows, count = len(quantiles), len(AHEAD)
        self._places: Final = Slots(rhythm.buckets)
        self._decay: Final = decays((*SPANS, rhythm.buckets))
        self._keep: Final = horizons.per_horizon(0.5 ** (STRIDES * _MEMORY_SHARE / rhythm.buckets))
        self._keep_record: Final = horizons.per_horizon(0.5 ** (STRIDES / rhythm.buckets))
        trial = horizons.per_horizon(np.maximum(1, rhythm.buckets / _TRIAL_SHARE / STRIDES))
        needs = np.arange(len(EXPERTS))[:, None] >= _SEASONAL
        self._trial: Final = np.where(needs, trial, 0)
        self._proof: Final = trial[:, 0]
        self.levels = Levels.blank(rows)
        self.shapes = Shapes.blank(self._places, rows)
        self.waiting = Waiting.blank(len(EXPERTS) + 2, rows)
        self.weights = Weights.blank(count, len(EXPERTS), rows)
        self.margins = Margins.blank(count, 1 + len(NAIVE), rows)
        self.verdicts = Verdicts.blank(count, quantiles)

    def close(self, bucket: int, loads: Doubles) -> None:
        """Take the loads of a bucket, NaN where unknown; buckets come one after the other."""
        seen = loads.astype(np.float32)
        self._learn(bucket, seen)
        self.levels.update(seen, self._decay)
        self.shapes.compare(self._places, bucket, seen)
        self.shapes.collect(seen)
        slot = self._places.number(bucket)
        if self._places.number(bucket + 1) != slot:
            self.shapes.close(self._places, slot)
        self._forecast(bucket)
        self.verdicts.note(seen)

    def experts(self, bucket: int) -> Floats:
        """Forecast from the end of a bucket: horizon, expert, row."""
        ahead, days = bucket + AHEAD, _SEASONAL + 1
        forecasts = np.empty((len(AHEAD), len(EXPERTS), len(self.verdicts.silence)), np.float32)
        forecasts[:, : len(SPANS)] = self.levels.level[: len(SPANS)]
        forecasts[:, len(SPANS)] = self.levels.trends(AHEAD)
        forecasts[:, _SEASONAL] = self.shapes.time_of_day(self._places, ahead)
        forecasts[:, days:] = self.shapes.forecast(self._places, ahead)
        return forecasts

    def view(self, slot: int, ahead: float, over: float) -> View:
        """Look `ahead` buckets beyond the last one and `over` more; the highest load counts."""
        return self.verdicts.view(slot, ahead, over)

    def widen(self, more: "Mixture") -> None:
        """Append the rows of another."""
        for part, added in zip(self.parts, more.parts, strict=True):
            columns.widen(part, added)

    def put(self, slots: Ints, source: "Mixture") -> None:
        """Overwrite the rows at `slots` by those of another, which is as far in time."""
        for part, columns_of in zip(self.parts, source.parts, strict=True):
            columns.put(part, slots, columns_of)

    @property
    def parts(self) -> tuple[object, ...]:
        """List the parts of the state."""
        return (
            self.levels,
            self.shapes,
            self.waiting,
            self.weights,
            self.margins,
            self.verdicts,
        )

    def _learn(self, bucket: int, loads: Floats) -> None:
        """Hold the loads against what was forecast for them."""
        ripe = self.waiting.ripe(bucket)
        errors = loads - ripe[:, :-1]
        keep = self._keep[: len(ripe)]
        self.weights.learn(errors[:, :-1], keep)
        judged = np.concatenate((errors[:, -1:], errors[:, list(NAIVE)]), axis=1)
        record = self._keep_record[: len(ripe)]
        self.margins.learn(judged, ripe[:, -1], self.verdicts.quantile, record)
        self.margins.judge(self._proof)

    def _forecast(self, bucket: int) -> None:
        forecasts = self.experts(bucket)
        usual = self.levels.level[-1]
        expected = self.weights.blend(forecasts, usual, self._trial)
        scale = margins.scale_of(expected, self.levels.level[len(SPANS) - 1], usual)
        scale = np.where(self.levels.weight[-1] >= FEWEST_SAMPLES, scale, columns.NAN)
        fresh = np.concatenate((forecasts, expected[:, None], scale[:, None]), axis=1)
        self.waiting.put_in(bucket, fresh)
        self.verdicts.settle(expected, scale, self.margins)
