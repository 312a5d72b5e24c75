"""Join what was wanted with what was answered: the readings of each policy.

Pure. No arithmetic on queries here: everything was planned before (see `asks`), so that a pass over
ten thousand policies is lookups.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from math import isfinite, isnan
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

from agentscaler.api.signals import EmptyResult, SignalName
from agentscaler.conventions import NAMESPACE_LABEL
from agentscaler.decide.snapshot import Missing, Reading, Why
from agentscaler.observe.answers import Table, reading_of
from agentscaler.observe.asks import Custom, Source, Want, Wants
from agentscaler.observe.expressions import Agent, Grouped, Ratio
from agentscaler.observe.presets import Kind
from agentscaler.quantities import format_duration

TableAnswer: TypeAlias = Table | Missing
_Name = TypeVar("_Name", bound=str)
_NOTHING: Final[Mapping[Any, Reading]] = MappingProxyType({})


@dataclass(slots=True)
class Answers:
    """What one server answered in one pass, by query. `at` is the moment that was asked for."""

    at: float
    grouped: dict[str, TableAnswer] = field(default_factory=dict)
    custom: dict[str, Reading] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Readings:
    """What was seen of one policy; the parts are those of `Snapshot`."""

    signals: Mapping[SignalName, Reading]
    metrics: Mapping[str, Reading] = field(default_factory=dict)
    gates: Mapping[str, Reading] = field(default_factory=dict)
    partial: str = ""
    providers: Mapping[str, Reading] = field(default_factory=dict)


def join(wants: Wants, answers: Answers) -> Readings:
    """Look up every reading that a policy wants."""
    return Readings(
        signals=_all(wants.signals, wants, answers),
        metrics=_all(wants.metrics, wants, answers),
        gates=_all(wants.gates, wants, answers),
        partial=_partial(wants, answers) if answers.warnings else "",
        providers=_all(wants.providers, wants, answers),
    )


def without_source(wants: Wants, missing: Missing) -> Readings:
    """Give the readings of a policy whose server was not asked at all."""
    return Readings(
        signals=dict.fromkeys(wants.signals, missing),
        metrics=dict.fromkeys(wants.metrics, missing),
        gates=dict.fromkeys(wants.gates, missing),
        providers=dict.fromkeys(wants.providers, missing),
    )


def meant(want: Want, reading: Reading) -> Reading:
    """Take a reading as its policy means it: that nothing was found may stand for zero."""
    if want.empty is EmptyResult.ZERO and isinstance(reading, Missing) and reading.why is Why.EMPTY:
        return 0.0
    return reading


def _all(wanted: Mapping[_Name, Want], wants: Wants, answers: Answers) -> Mapping[_Name, Reading]:
    # Most policies want no metric, gate or provider: they share the mapping of nothing.
    return {name: _read(want, wants, answers) for name, want in wanted.items()} or _NOTHING


def _read(want: Want, wants: Wants, answers: Answers) -> Reading:
    return meant(want, _look_up(want.source, wants, answers))


def _look_up(source: Source, wants: Wants, answers: Answers) -> Reading:
    match source:
        case Grouped():
            return _cell(source, wants, answers)
        case Ratio():
            return _share(source, wants, answers)
        case Custom():
            return _answer(source, answers.custom[source.query])
        case Missing():
            return source


def _answer(source: Custom, reading: Reading) -> Reading:
    """Say what a confined query did not see: its author does not see the matcher."""
    if source.sees and isinstance(reading, Missing) and reading.why is Why.EMPTY:
        seen = " or ".join(source.sees)
        return Missing(Why.EMPTY, f"{reading.detail} with {NAMESPACE_LABEL}={seen}")
    return reading


def _cell(source: Grouped, wants: Wants, answers: Answers) -> Reading:
    table = answers.grouped[source.query]
    if isinstance(table, Missing):
        return table
    sampled = table.sampled.get(wants.agent)
    if sampled is not None and answers.at - sampled > wants.stale_seconds:
        return _stale(answers.at - sampled)
    value = table.values.get(wants.agent)
    if value is None:
        return _no_series(source, wants.agent)
    if isfinite(value) and value >= 0:
        return value
    if isnan(value) and source.kind is Kind.QUANTILE:
        return Missing(Why.EMPTY, f"no request ended within {format_duration(source.window)}")
    return reading_of(value)


def _share(source: Ratio, wants: Wants, answers: Answers) -> Reading:
    """Divide; nothing ended is no failure, but without any series nothing is known."""
    whole = _cell(source.whole, wants, answers)
    if isinstance(whole, Missing):
        return whole
    part = _cell(source.part, wants, answers)
    if isinstance(part, Missing):
        if part.why is not Why.EMPTY:
            return part
        part = 0.0  # a failure that never happened has no series
    if part == 0:
        return 0.0
    return min(1.0, part / whole) if whole > 0 else 1.0


def _partial(wants: Wants, answers: Answers) -> str:
    said = {answers.warnings.get(query, "") for query in _queries(wants)}
    return "; ".join(sorted(said - {""}))


def _queries(wants: Wants) -> set[str]:
    queries = set()
    for source in wants.sources():
        match source:
            case Grouped() | Custom():
                queries.add(source.query)
            case Ratio():
                queries.update((source.part.query, source.whole.query))
            case Missing():
                pass
    return queries


def _stale(seconds: float) -> Missing:
    age = format_duration(timedelta(seconds=round(seconds)))
    return Missing(Why.STALE, f"the newest sample is {age} old")


def _no_series(source: Grouped, agent: Agent) -> Missing:
    namespace, name = agent
    said = f'no series {source.subject} of namespace "{namespace}" and agent "{name}"'
    if source.kind in {Kind.RATE, Kind.QUANTILE}:
        said += f" with two samples within {format_duration(source.window)}"
    return Missing(Why.EMPTY, said)
