"""The figures of each policy as metrics, written when they are scraped.

Ten thousand policies have eighty thousand series. As objects of the metrics library they would all
be kept, and all be updated in each pass; made for each scrape by a collector of that library they
took 0.7 s, seven times as long as written directly. Here a policy is one small record, replaced as
a whole; a policy without a record has no series.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from agentscaler.api.policy import Mode
from agentscaler.api.status import (
    CandidateStatus,
    ConditionStatus,
    ConditionType,
    LimitsStatus,
    Reason,
)
from agentscaler.quantities import parse_duration
from agentscaler.report import conditions
from agentscaler.report.outlines import Outline

Key: TypeAlias = tuple[str, str]
"""Namespace and name of a policy."""

_UNKNOWN: Final = "Unknown"
_NO_LIMITS: Final = LimitsStatus()
_FIRST: Final = (
    ConditionType.READY,
    ConditionType.SCALING_ACTIVE,
    ConditionType.METRICS_AVAILABLE,
)
_FLEETS: Final = ("candidate", "active")


@dataclass(frozen=True, slots=True)
class CandidateFigures:
    """What is exported of a candidate: its count, and its account beside the real one."""

    replicas: int
    hours: tuple[float, float]
    waiting: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Figures:
    """What is exported of one policy; None is unknown and not exported."""

    state: str
    current: int | None = None
    ready: int | None = None
    desired: int | None = None
    proposed: int | None = None
    reason: str = ""
    expected: float | None = None
    upper: float | None = None
    error: float | None = None
    missing: tuple[str, ...] = ()
    attention: tuple[str, ...] = ()
    candidate: CandidateFigures | None = None
    ceilings: tuple[tuple[str, int], ...] = ()
    spent: float | None = None
    projected: float | None = None


def of(outline: Outline, error: float | None = None) -> Figures:
    """Take the figures out of an outline; `error` is the forecast's, as a share of the load."""
    limits = outline.limits or _NO_LIMITS
    budget = limits.budget
    figures = Figures(
        state=_state(outline),
        current=outline.current,
        ready=outline.ready,
        desired=outline.desired,
        proposed=outline.proposed,
        reason=outline.decided,
        expected=outline.expected,
        upper=outline.upper,
        error=error,
        missing=outline.missing,
        attention=_attention(outline),
        candidate=_of_candidate(outline.candidate),
        ceilings=tuple((each.provider, each.replicas) for each in limits.ceilings),
        spent=float(budget.spent) if budget and budget.spent else None,
        projected=float(budget.projected) if budget and budget.projected else None,
    )
    return _at_rest(figures) if outline.mode == Mode.PAUSED else figures


def _at_rest(figures: Figures) -> Figures:
    """Leave out what is of a decision that nobody takes anew: it would be told for ever."""
    return replace(
        figures, desired=None, proposed=None, reason="", expected=None, upper=None, missing=()
    )


def _of_candidate(status: CandidateStatus | None) -> CandidateFigures | None:
    if status is None:
        return None
    return CandidateFigures(
        status.desired_replicas,
        (float(status.replica_hours or 0), float(status.active_replica_hours or 0)),
        (_seconds(status.waiting), _seconds(status.active_waiting)),
    )


def _seconds(span: str) -> float:
    return parse_duration(span).total_seconds() if span else 0.0


@dataclass(frozen=True, slots=True)
class Family:
    """A metric of policies: its name, what it says, its own label, its samples of one policy."""

    name: str
    about: str
    label: str
    samples: Callable[[Figures], Iterable[tuple[str, float | None]]]


def _counts(figures: Figures) -> Iterable[tuple[str, float | None]]:
    yield "current", figures.current
    yield "ready", figures.ready
    yield "proposed", figures.proposed
    yield "desired", figures.desired
    yield "candidate", None if figures.candidate is None else figures.candidate.replicas


def _binding(figures: Figures) -> Iterable[tuple[str, float | None]]:
    if figures.reason:
        yield figures.reason, 1


def _forecast(figures: Figures) -> Iterable[tuple[str, float | None]]:
    yield "expected", figures.expected
    yield "upper", figures.upper


def _error(figures: Figures) -> Iterable[tuple[str, float | None]]:
    yield "", figures.error


def _noticed(figures: Figures) -> Iterable[tuple[str, float | None]]:
    return ((condition, 1) for condition in figures.attention)


def _hours(figures: Figures) -> Iterable[tuple[str, float | None]]:
    if figures.candidate is not None:
        yield from zip(_FLEETS, figures.candidate.hours, strict=True)


def _waiting(figures: Figures) -> Iterable[tuple[str, float | None]]:
    if figures.candidate is not None:
        yield from zip(_FLEETS, figures.candidate.waiting, strict=True)


def _unread(figures: Figures) -> Iterable[tuple[str, float | None]]:
    return ((signal, 1) for signal in figures.missing)


def _ceilings(figures: Figures) -> Iterable[tuple[str, float | None]]:
    return figures.ceilings


def _money(figures: Figures) -> Iterable[tuple[str, float | None]]:
    yield "spent", figures.spent
    yield "projected", figures.projected


FAMILIES: Final = (
    Family(
        "agentscaler_policy_replicas",
        "Replicas of the target: current (asked for), ready, proposed (what the load needs), "
        "desired (what was decided, after pace, safety and bounds) and candidate (what the "
        "candidate would ask for).",
        "state",
        _counts,
    ),
    Family(
        "agentscaler_policy_decision_info",
        "What bound the decision in force; always 1.",
        "reason",
        _binding,
    ),
    Family(
        "agentscaler_policy_forecast_slots",
        "Busy slots forecast for when a replica asked for now is ready: expected, and upper (not "
        "exceeded at the quantile of the policy).",
        "bound",
        _forecast,
    ),
    Family(
        "agentscaler_policy_forecast_error_ratio",
        "How far off the forecast was lately, as a share of the load.",
        "",
        _error,
    ),
    Family(
        "agentscaler_policy_signal_missing",
        "1 while a signal, metric, gate or provider of the policy cannot be read; else absent.",
        "signal",
        _unread,
    ),
    Family(
        "agentscaler_policy_needs_attention",
        "1 while a condition of the policy is not as it should be; absent otherwise.",
        "condition",
        _noticed,
    ),
    Family(
        "agentscaler_policy_candidate_replica_hours",
        "Replica-hours since the candidate began: of its fleet in thought, and of the active one.",
        "fleet",
        _hours,
    ),
    Family(
        "agentscaler_policy_candidate_waiting_seconds",
        "Time since the candidate began in which work waited: for its fleet, and for the active "
        "one.",
        "fleet",
        _waiting,
    ),
    Family(
        "agentscaler_policy_provider_ceiling_replicas",
        "Replicas whose calls the provider takes, as learned from its refusals; absent while it "
        "refused none.",
        "provider",
        _ceilings,
    ),
    Family(
        "agentscaler_policy_budget_cost",
        "Cost of the replicas in the present window of the budget: spent, and projected (at its "
        "end if the count stays).",
        "state",
        _money,
    ),
)


def pages(records: Mapping[Key, Figures], names: Collection[str] = ()) -> Iterator[bytes]:
    """Write the figures of all policies in the text format of Prometheus, a family at a time.

    With `names`, only the families of these names.
    """
    listed = [(_labels(key), figures) for key, figures in records.items()]
    for family in FAMILIES:
        if names and family.name not in names:
            continue
        lines = [f"# HELP {family.name} {family.about}", f"# TYPE {family.name} gauge"]
        for labels, figures in listed:
            lines += [
                f"{family.name}{{{labels}{_own(family.label, value)}}} {amount}"
                for value, amount in family.samples(figures)
                if amount is not None
            ]
        lines.append("")
        yield "\n".join(lines).encode()


def _labels(key: Key) -> str:
    namespace, name = key
    return f'namespace="{_escaped(namespace)}",policy="{_escaped(name)}"'


def _own(label: str, value: str) -> str:
    return f',{label}="{_escaped(value)}"' if label else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _attention(outline: Outline) -> tuple[str, ...]:
    """Name the conditions that need attention, or in the long run deserve it."""
    found = [each.type for each in outline.verdicts if conditions.is_unwelcome(each)]
    if any(each.reason == Reason.UNTRUSTED for each in outline.verdicts):
        found.append(ConditionType.FORECAST_TRUSTED)
    return tuple(each.value for each in found)


def _state(outline: Outline) -> str:
    """Say what a policy is doing: what keeps it from its work, else that it is active."""
    said = {each.type: each for each in outline.verdicts}
    for about in _FIRST:
        if about in said and said[about].status is ConditionStatus.FALSE:
            return said[about].reason
    active = said.get(ConditionType.SCALING_ACTIVE)
    return active.reason if active else _UNKNOWN
