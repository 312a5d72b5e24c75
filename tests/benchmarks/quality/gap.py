"""Where the cost above the oracle's comes from: its parts by the steps, and what is not known.

Each part is told as a multiple of the oracle's replica-hours, so that the parts add up to the cost.
What better knowledge would save is found with the least reserve that keeps 99 %, fixed for the
whole load: so no variant pays for learning, and all serve alike.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from math import fsum
from typing import Any, Final

import numpy as np

from agentscaler.decide.decision import Decision
from agentscaler.forecast.outlook import Outlook
from agentscaler.simulate.pilot import Pilot
from agentscaler.simulate.replay import Moment
from agentscaler.simulate.scalers import Piloted, Scaler, Sight
from tests.benchmarks.quality import oracle, report
from tests.benchmarks.quality.contest import GOAL, OURS, Contest, Result
from tests.benchmarks.quality.parts import Lacking
from tests.benchmarks.quality.report import Results

_START: Final = 37.5  # seconds: a median start and half a poll
_RESERVES: Final = (-2.0, 3.0)
_HALVINGS: Final = 5
_NO_WINDOW: Final[Mapping[str, Any]] = {"demand": {"scaleDown": {"cooldown": "0s"}}}

PARTS: Final = ("busy", "the need of now beyond it", "the forecast", "held", "draining")


@dataclass(slots=True)
class Watched:
    """The production decision, with what it needed by the steps: demand, then forecast."""

    pilot: Pilot
    needs: dict[float, tuple[int, int]] = field(default_factory=dict)

    def decide(self, seen: Sight) -> int:
        """Decide, and note the needs."""
        decision = self.pilot.decide(
            seen.now, seen.readings, current=seen.current, ready=seen.ready, starting=seen.starting
        )
        self.needs[seen.now] = _needs(decision)
        return decision.replicas


def _needs(decision: Decision) -> tuple[int, int]:
    found = {step.name: step.after for step in decision.steps}
    return found["demand"], found.get("forecast", found["demand"])


class Seer:
    """Knows the mean of the busy slots about the moment at which a replica would be ready."""

    def __init__(self, contest: Contest, span: float) -> None:
        self._busy: Final = Busy(contest)
        self._span: Final = span

    def look(self, now: datetime, _load: float | None, _lead: timedelta | None) -> Outlook:
        """Give the rate to come, without doubt."""
        ahead = timedelta(seconds=_START)
        rate = self._busy.about(now.timestamp() + _START, self._span)
        return Outlook("known", ahead, rate, rate, True, "it is known")


class Busy:
    """The busy slots of a load, had none ever waited."""

    def __init__(self, contest: Contest) -> None:
        past = contest.past
        steps = int(np.ceil((past.end - past.start) / oracle.STEP))
        self._edges: Final = past.start + oracle.STEP * np.arange(steps + 1)
        self._total: Final = oracle.total_busy(past, steps)

    def mean(self, start: float, end: float) -> float:
        """Give the mean of a span of time."""
        before, after = np.interp((start, end), self._edges, self._total)
        return float(after - before) / (end - start)

    def about(self, at: float, span: float) -> float:
        """Give the mean of `span` seconds before and after, as far as the load goes."""
        first, last = float(self._edges[0]), float(self._edges[-1])
        at = min(max(at, first + span), last - span)
        return self.mean(at - span, at + span)


def apart(contest: Contest) -> Iterator[Result]:
    """Take the cost of the defaults apart, and see what knowing would save."""
    watched = Watched(Pilot(contest.spec({})))
    outcome = contest.run(watched)
    yield contest.result(OURS, "defaults", outcome)
    hours = _parts(contest, watched.needs, outcome.moments)
    for name, spent in zip(PARTS, hours, strict=True):
        yield Result(name, "", None, spent / contest.yardstick.oracle, spent)
    yield from contest.rates_known()
    yield _leanest(contest, "window", {})
    yield _leanest(contest, "no window", _NO_WINDOW)
    yield _leanest(contest, "window, rate known", {}, oracle.RATES[0])
    yield _leanest(contest, "no window, rate known", _NO_WINDOW, oracle.RATES[0])


def _parts(
    contest: Contest, needs: Mapping[float, tuple[int, int]], moments: tuple[Moment, ...]
) -> list[float]:
    """Tell what was paid for each part, in replica-hours."""
    busy, rows = Busy(contest), []
    for before, after in pairwise(moments):
        span = after.at - before.at
        demand, forecast = needs[before.at]
        serving = busy.mean(before.at, after.at) / contest.past.slots
        ends = (0.0, serving, demand, forecast, before.wanted, (after.paid - before.paid) / span)
        rows.append([(high - low) * span / 3600 for low, high in pairwise(ends)])
    return [fsum(part) for part in zip(*rows, strict=True)]


def _leanest(
    contest: Contest, told: str, spec: Mapping[str, Any], known: float | None = None
) -> Result:
    """Halve the span of reserves to the least that keeps the goal."""

    def make(reserve: float) -> Scaler:
        pilot = Pilot(contest.spec(dict(spec)))
        if known is not None:
            pilot._foresight = Seer(contest, known)  # type: ignore[assignment]
        return Lacking(Piloted(pilot), {"reserve": reserve}, frozenset(), ())

    low, high = _RESERVES
    best = contest.result("fixed reserve", told, contest.run(make(high)))
    for _ in range(_HALVINGS):
        reserve = (low + high) / 2
        found = contest.result("fixed reserve", told, contest.run(make(reserve)))
        if (found.attainment or 0.0) >= GOAL:
            best, high = found, reserve
        else:
            low = reserve
    return best


def table(results: Results) -> str:
    """Tell the parts, which add up, and below them what knowing would save."""
    names = list(dict.fromkeys(each.name for found in results.values() for each in found))
    lines = [
        "",
        "| | " + " | ".join(load.partition(".")[0] for load in results) + " | mean |",
        "|---|" + "--:|" * (len(results) + 1),
    ]
    for name in names:
        costs = [each.cost for each in report.of(results, name).values()]
        adds_up = name in PARTS
        mean = fsum(costs) / len(costs) if adds_up else report.geometric_mean(costs)
        cells = " | ".join(f"{cost:.3f}" for cost in costs)
        lines.append(f"| {'of which: ' if adds_up else ''}{name} | {cells} | {mean:.3f} |")
    return "\n".join(lines)
