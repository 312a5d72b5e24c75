"""The status as a person would tell it, a line each.

`kubectl describe` prints fields in the order of the alphabet and entries of lists field by field;
a list of sentences it prints as it is, and by its name this one comes near the end, where a
terminal stops scrolling.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from agentscaler.api.status import MAX_LINE, Outcome, PolicyStatus, Reason, ScalingEvent
from agentscaler.report import candidates, conditions, limits, readings
from agentscaler.report.wording import cause, day, sentence

_NEWEST: Final = 5  # events told; all are in the history
_OUTCOMES: Final = {
    Outcome.PENDING: "about to go",
    Outcome.APPLIED: "went",
    Outcome.RECOMMENDED: "recommended to go",
    Outcome.FAILED: "failed to go",
}


def tell(status: PolicyStatus) -> tuple[str, ...]:
    """Tell what is seen, decided and why, what would change it, what is wrong, what was before."""
    lines = (
        *_counts(status),
        *_sight(status),
        *_decision(status),
        *_forecast(status),
        *_candidate(status),
        *_limits(status),
        *_bottleneck(status),
        *_attention(status),
        *_past(status),
    )
    return tuple(_within(line) for line in lines)


def event(scaling: ScalingEvent) -> str:
    """Tell one scaling in a line."""
    moved = f"{_OUTCOMES[scaling.outcome]} from {scaling.from_} to {scaling.to}"
    failed = f", but {scaling.failure}" if scaling.failure else ""
    return f"{day(scaling.time)} {moved} ({scaling.reason}{failed}): {cause(scaling.message)}"


def _counts(status: PolicyStatus) -> Iterator[str]:
    if status.current_replicas is None:
        return
    wanted = "" if status.desired_replicas is None else f", {status.desired_replicas} wanted"
    yield (
        f"Replicas: {status.current_replicas} asked for, {status.ready_replicas or 0} ready"
        f"{wanted}."
    )


def _sight(status: PolicyStatus) -> Iterator[str]:
    if status.signals:
        yield f"Sees: {readings.told(status.signals)}."
    if status.missing:
        yield f"Does not see: {_listed(status.missing)}."


def _listed(missing: Mapping[str, str]) -> str:
    """Say each reason once: where an agent exports nothing, it is the same for all its signals."""
    names: dict[str, list[str]] = {}
    for name in readings.ordered(missing):
        names.setdefault(missing[name], []).append(name)
    return "; ".join(f"{', '.join(those)} ({why})" for why, those in names.items())


def _within(line: str) -> str:
    # The API server refuses a status with a longer line, and nothing is done that is not recorded.
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…"


def _decision(status: PolicyStatus) -> Iterator[str]:
    decision = status.decision
    if decision is None:
        return
    yield f"Decided: {decision.message}."
    yield f"Reason: {decision.reason}, since {day(decision.since)}."
    if status.draining:
        yield f"Draining: {', '.join(status.draining)}."
    if decision.hint:
        yield f"Otherwise: {sentence(decision.hint)}"


def _forecast(status: PolicyStatus) -> Iterator[str]:
    forecast = status.forecast
    if forecast is None:
        return
    trust = "trusted" if forecast.trusted else "not trusted"
    yield (
        f"Expects: {forecast.expected} busy slots in {forecast.lookahead}, at most "
        f"{forecast.upper} ({forecast.method}, {trust}: {forecast.message})."
    )


def _candidate(status: PolicyStatus) -> Iterator[str]:
    candidate = status.candidate
    if candidate is not None:
        yield f"Candidate, since {day(candidate.since)}: {candidates.told(candidate)}."


def _limits(status: PolicyStatus) -> Iterator[str]:
    return limits.told(status.limits)


def _bottleneck(status: PolicyStatus) -> Iterator[str]:
    found = status.bottleneck
    if found is not None:
        yield f"Bottleneck: {found.message} ({found.verdict})."


def _attention(status: PolicyStatus) -> Iterator[str]:
    told: set[str] = set()
    for condition in conditions.unwelcome(status.conditions):
        if condition.message not in told and condition.reason != Reason.RECOMMENDING:
            told.add(condition.message)
            since = day(condition.last_transition_time)
            yield (
                f"Attention: {condition.type} is {condition.status} since {since} "
                f"({condition.reason}): {condition.message}"
            )


def _past(status: PolicyStatus) -> Iterator[str]:
    for scaling in status.history[:_NEWEST]:
        yield f"Before: {event(scaling)}."
