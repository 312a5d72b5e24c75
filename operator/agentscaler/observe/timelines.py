"""The past cut into even steps: which moments to ask for, and where each answer belongs.

Pure. What is not known stays a gap (NaN); nothing is interpolated.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import floor
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from agentscaler.observe.answers import agent_in
from agentscaler.observe.expressions import Agent

Loads: TypeAlias = NDArray[np.float64]
_Array = TypeVar("_Array", NDArray[np.float32], NDArray[np.float64])

# Prometheus refuses a range query of more than 11,000 points per series.
MOST_POINTS: Final = 10_000
# About 3 MB of JSON, and five times that once it is read; more holds the interpreter, and with it
# the event loop, for too long.
MOST_SAMPLES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Span:
    """Moments from `start` to `end`, both included, `step` apart, all in whole seconds."""

    start: datetime
    end: datetime
    step: timedelta


@dataclass(frozen=True, slots=True)
class Timeline:
    """`count` steps from `start` on; their borders are multiples of the step since the epoch."""

    start: datetime
    step: timedelta
    count: int

    @classmethod
    def back(cls, now: datetime, span: timedelta, step: timedelta) -> "Timeline":
        """Cut the `span` before `now` into steps, the last of them complete.

        A step is whole seconds, as the client rounds moments to them: a fraction is cut off.
        """
        seconds = max(1, floor(step.total_seconds()))
        step = timedelta(seconds=seconds)
        count = max(1, floor(span / step))
        last = floor(now.timestamp() / seconds)
        return cls(datetime.fromtimestamp((last - count) * seconds, UTC), step, count)

    @property
    def times(self) -> Loads:
        """Give the middle of each step, in seconds since the epoch."""
        seconds = self.step.total_seconds()
        middles = np.arange(self.count, dtype=np.float64) + 0.5
        return self.start.timestamp() + seconds * middles

    def gaps(self) -> Loads:
        """Give loads of which nothing is known yet."""
        return np.full(self.count, np.nan)

    def spans(self, agents: int) -> Iterator[Span]:
        """Cut the timeline so that no answer for so many agents is too large.

        A step is asked for at its end, since a query looks back.
        """
        most = max(1, min(MOST_POINTS, MOST_SAMPLES // max(1, agents)))
        for first in range(0, self.count, most):
            last = min(first + most, self.count)
            first_end, last_end = (self.start + self.step * end for end in (first + 1, last))
            yield Span(first_end, last_end, self.step)

    def place(self, series: Mapping[str, Any], loads: Loads) -> None:
        """Write the values of a series to their steps; what is no load stays a gap."""
        points = series["values"] if "values" in series or "histograms" not in series else []
        moments = np.array([point[0] for point in points], np.float64)
        values = np.array([point[1] for point in points], np.float64)
        offsets = (moments - self.start.timestamp()) / self.step.total_seconds()
        steps = np.rint(offsets) - 1  # a moment that makes no sense is in no step
        usable = np.isfinite(values) & (values >= 0) & (steps >= 0) & (steps < self.count)
        loads[steps[usable].astype(np.int64)] = values[usable]


def rows_of(result: list[Any], timeline: Timeline) -> dict[Agent, Loads]:
    """Read the result of a grouped range query."""
    rows: dict[Agent, Loads] = {}
    for series in result:
        agent = agent_in(series["metric"])
        if agent is not None:
            timeline.place(series, rows.setdefault(agent, timeline.gaps()))
    return rows


def row_of(result: list[Any], timeline: Timeline) -> Loads:
    """Read the result of a range query that gives one series; several are no load."""
    loads = timeline.gaps()
    if len(result) == 1:
        timeline.place(result[0], loads)
    return loads


def slots(active: _Array, queued: _Array) -> _Array:
    """Add up requests in service and waiting; where no pod tells of service, nothing is served.

    Agents at zero replicas export nothing, but what queues requests for them does.
    """
    served = np.where(np.isnan(active) & ~np.isnan(queued), 0.0, active)
    return served + queued
