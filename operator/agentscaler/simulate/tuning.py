"""Search the settings that serve a past in time at the least cost, and judge them by the rest.

One knob after the other is tried on the first part of the past; what looks best there is judged by
the second part, which had no say in the search, so that the settings fit the load and not its
accidents. Nothing is applied.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, Protocol

from agentscaler.errors import UsageError
from agentscaler.simulate import knobs
from agentscaler.simulate.backtest import Backtest
from agentscaler.simulate.past import Past

_TUNED_ON: Final = 0.6
_SHORTEST: Final = 2 * 3600.0
_DAY: Final = 86_400.0
_FEWEST_DAYS: Final = 3
_ROUNDS: Final = 2
_JUDGED: Final = 6
"""Candidates that the second part judges, besides the policy as it is."""


class Part(NamedTuple):
    """A part of the past."""

    start: float
    end: float


class Score(NamedTuple):
    """What settings cost and how many requests they served in time."""

    attainment: float
    replica_hours: float
    flaps: int


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings, as a whole spec, and their scores on the two parts (None: not judged)."""

    spec: Mapping[str, Any]
    tuned: Score
    judged: Score | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """The policy as it is, what is proposed (maybe the same), and the curve of what was found."""

    present: Trial
    proposed: Trial
    curve: tuple[Trial, ...]
    tried: int


class Bench(Protocol):
    """Scores specs on a part of the past, several at a time."""

    def score(self, part: Part, specs: Sequence[Mapping[str, Any]]) -> list[Score]:
        """Give the scores, in the order of the specs."""
        ...


def measure(backtest: Backtest, spec: Mapping[str, Any]) -> Score:
    """Run one spec through the past of a backtest."""
    row = backtest.run("", backtest.pilot(spec), lambda _name, _share: None)
    return Score(row.outcome.attainment, row.outcome.replica_hours, row.outcome.flaps)


def split(past: Past) -> tuple[Part, Part]:
    """Cut a past in a part to tune on and one to judge by; at midnight where there are days."""
    span = past.end - past.start
    if span < _SHORTEST:
        raise UsageError("the past is too short to tune on: give at least two hours")
    border = past.start + _TUNED_ON * span
    if span >= _FEWEST_DAYS * _DAY:
        border = round(border / _DAY) * _DAY
    return Part(past.start, border), Part(border, past.end)


@dataclass(slots=True)
class Tuner:
    """One search; `tell` hears what share of the trials is done."""

    backtest: Backtest
    bench: Bench
    trials: int
    tell: Callable[[float], None] = lambda _share: None
    _found: dict[str, Trial] = field(default_factory=dict)
    _goal: float = field(init=False)

    def __post_init__(self) -> None:
        self._goal = self.backtest.wait.attainment

    def propose(self) -> Proposal:
        """Search on the first part, judge on the second."""
        first, second = split(self.backtest.past)
        present = self._score(first, [self.backtest.spec])[0]
        best = self._search(first, present)
        curve = _curve(self._found.values())
        chosen = [best, *_spread(_safer(curve, best), _JUDGED - 1)]
        scores = self.bench.score(second, [each.spec for each in (present, *chosen)])
        present, *judged = (
            replace(trial, judged=score)
            for trial, score in zip((present, *chosen), scores, strict=True)
        )
        self.tell(1.0)
        return Proposal(
            present=present,
            proposed=self._pick(present, judged),
            curve=tuple(
                next((each for each in judged if each.spec is trial.spec), trial) for trial in curve
            ),
            tried=len(self._found),
        )

    def _search(self, part: Part, present: Trial) -> Trial:
        """Turn one knob after the other to where it is best, twice."""
        best = present
        for knob in _ROUNDS * knobs.knobs_of(self.backtest.parsed):
            specs = [knobs.turned(best.spec, knob.path, value) for value in knob.values]
            best = min((best, *self._score(part, specs)), key=self._rank)
        return best

    def _score(self, part: Part, specs: Sequence[Mapping[str, Any]]) -> list[Trial]:
        """Try the settings that were not tried before, as far as trials are left."""
        new: dict[str, Mapping[str, Any]] = {}
        for spec in specs:
            key = _key(spec)
            if key not in self._found and len(self._found) + len(new) < self.trials:
                new[key] = spec
        scores = self.bench.score(part, list(new.values()))
        for (key, spec), score in zip(new.items(), scores, strict=True):
            self._found[key] = Trial(spec, score)
        self.tell(len(self._found) / (self.trials + _JUDGED))
        return [self._found[key] for key in map(_key, specs) if key in self._found]

    def _rank(self, trial: Trial) -> tuple[float, float]:
        """Service first, as far as it is asked for; then cost."""
        return max(0.0, self._goal - trial.tuned.attainment), trial.tuned.replica_hours

    def _pick(self, present: Trial, judged: Sequence[Trial]) -> Trial:
        """Take the cheapest settings that hold on the second part too, if they save anything."""
        holding = [each for each in judged if _judged(each).attainment >= self._goal]
        if not holding:
            return max((present, *judged), key=lambda each: _judged(each).attainment)
        chosen = holding[0]
        saves = _judged(chosen).replica_hours < _judged(present).replica_hours
        return chosen if saves or _judged(present).attainment < self._goal else present


def _judged(trial: Trial) -> Score:
    return trial.judged or trial.tuned


def _key(spec: Mapping[str, Any]) -> str:
    return json.dumps(spec, sort_keys=True, default=str)


def _curve(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Give the trials that none beats in both cost and service, the cheapest first."""
    curve: list[Trial] = []
    for trial in sorted(
        trials, key=lambda each: (each.tuned.replica_hours, -each.tuned.attainment)
    ):
        if not curve or trial.tuned.attainment > curve[-1].tuned.attainment:
            curve.append(trial)
    return tuple(curve)


def _spread(trials: Sequence[Trial], most: int) -> list[Trial]:
    """Take some of the trials, evenly from the first to the last: neighbours are much alike."""
    if len(trials) <= most:
        return list(trials)
    return [trials[round(place * (len(trials) - 1) / (most - 1))] for place in range(most)]


def _safer(curve: Sequence[Trial], best: Trial) -> list[Trial]:
    """Give what serves better than the best, the cheapest first."""
    return [each for each in curve if each.tuned.attainment > best.tuned.attainment]
