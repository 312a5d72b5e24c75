"""What a decision means for the policy's health: metrics, activity, limits, forecast."""

from collections.abc import Iterator
from typing import Final

from agentscaler.api.policy import FallbackBehavior, Mode, Policy, PredictionMode
from agentscaler.api.status import ConditionType, Reason
from agentscaler.decide import safety
from agentscaler.decide.decision import Decision, Step
from agentscaler.decide.snapshot import Missing, Snapshot, Why
from agentscaler.report.conditions import Verdict, fails, holds, unclear
from agentscaler.report.troubles import Trouble
from agentscaler.report.wording import sentence

READY: Final = holds(
    ConditionType.READY,
    Reason.HEALTHY,
    "The spec is followed and the target is found.",
)
NO_CONFLICT: Final = fails(
    ConditionType.CONFLICT, Reason.NO_CONFLICT, "Nothing else scales the target."
)
UNCONTESTED: Final = fails(
    ConditionType.REPLICAS_CONTESTED,
    Reason.UNCONTESTED,
    "Nobody else writes spec.replicas of the target.",
)
_METRICS_FOUND: Final = holds(
    ConditionType.METRICS_AVAILABLE,
    Reason.METRICS_FOUND,
    "All that the decision rests on is known.",
)
_ACTIVE: Final = holds(ConditionType.SCALING_ACTIVE, Reason.ACTIVE, "Decisions are carried out.")
_NOT_LIMITED: Final = fails(
    ConditionType.SCALING_LIMITED, Reason.NOT_LIMITED, "The load gets the replicas it needs."
)

_CURES: Final = {
    Why.EMPTY: "check that the agent exports it and Prometheus scrapes it, or set emptyResult: "
    "Zero where no series means none",
    Why.STALE: "check that Prometheus still scrapes the agent",
    Why.NOT_A_NUMBER: "guard the query against division by zero",
    Why.AMBIGUOUS: "let the query give one number, as with sum(...)",
    Why.REFUSED: "correct the query in the spec",
    Why.UNAVAILABLE: "check the address of Prometheus and whether it runs",
    Why.TIMEOUT: "make the query cheaper or Prometheus faster",
    Why.NOT_ALLOWED: "let the operator's administrator allow the address (--allow-server)",
    Why.NO_CREDENTIALS: "correct the Secret, or let the operator read Secrets "
    "(policySecrets.enabled)",
}
_REASONS: Final = {
    Why.REFUSED: Reason.QUERY_REFUSED,
    Why.UNAVAILABLE: Reason.SOURCE_UNAVAILABLE,
    Why.TIMEOUT: Reason.SOURCE_UNAVAILABLE,
    Why.NOT_ALLOWED: Reason.SOURCE_UNAVAILABLE,
    Why.NO_CREDENTIALS: Reason.SOURCE_UNAVAILABLE,
}
_FALLBACK: Final = "fallback"
_MEANWHILE_OPEN: Final = "It counts as open meanwhile."
_MEANWHILE_FIXED: Final = "Its ceiling stays as it is meanwhile."
# Stages whose lower count than the load needs is a limit that somebody set.
_LIMITS: Final = frozenset({"gates", "providers", "cooldown", "step", "budget", "bounds"})
_RAISE: Final = {
    "gates": "What the gate protects has to recover first.",
    "providers": "Ask the provider for higher limits, or spread the calls over several.",
    "cooldown": "Shorten scaleUp.cooldown if that is too slow.",
    "step": "Raise demand.scaleUp.maxStep if that is too slow.",
    "budget": "Raise limits.budget if more may be spent.",
    "bounds": "Raise the bound if more may run.",
}


def after(
    policy: Policy,
    seen: Snapshot,
    decision: Decision,
    contest: Trouble | None,
    doubt: Trouble | None,
) -> tuple[Verdict, ...]:
    """Give all verdicts after a decision.

    `contest` tells who else writes the count, `doubt` why another autoscaler may go unnoticed.
    """
    found, conflict = UNCONTESTED, NO_CONFLICT
    if contest is not None:
        found = holds(contest.condition, contest.reason, contest.message)
    if doubt is not None:
        conflict = unclear(doubt.condition, doubt.reason, doubt.message)
    return (READY, *of(policy, seen, decision), found, conflict)


def of(policy: Policy, seen: Snapshot, decision: Decision) -> Iterator[Verdict]:
    """Give the verdicts that follow from one decision."""
    yield metrics(policy, seen, decision)
    yield activity(policy, decision)
    yield limits(decision)
    if policy.spec.prediction.mode is not PredictionMode.OFF:
        yield forecast(seen)


def metrics(policy: Policy, seen: Snapshot, decision: Decision) -> Verdict:
    """Say whether all that the decision rests on could be read, gates and providers included."""
    gates = [
        (f"gate/{name}", reading)
        for name, reading in seen.gates.items()
        if isinstance(reading, Missing)
    ]
    providers = [
        (f"provider/{name}", reading)
        for name, reading in seen.providers.items()
        if isinstance(reading, Missing)
    ]
    needed = safety.unknown(policy.spec, seen, decision.memory)
    unknown = needed + gates + providers
    about = ConditionType.METRICS_AVAILABLE
    if unknown:
        reasons = (_REASONS.get(reading.why) for _, reading in unknown)
        reason = next((reason for reason in reasons if reason), Reason.METRICS_MISSING)
        open_ones = " ".join(
            said for said, some in ((_MEANWHILE_OPEN, gates), (_MEANWHILE_FIXED, providers)) if some
        )
        meanwhile = _meanwhile(policy, decision) if needed else open_ones
        return fails(about, reason, f"{_say_unknown(unknown)} {meanwhile}")
    if seen.partial:
        message = (
            f"The answers are incomplete ({seen.partial}): nothing is removed on them. Check the "
            "stores behind Prometheus."
        )
        return fails(about, Reason.METRICS_MISSING, message)
    return _METRICS_FOUND


def activity(policy: Policy, decision: Decision) -> Verdict:
    """Say whether the load decides and the decision is carried out."""
    about = ConditionType.SCALING_ACTIVE
    fallback = _fallback(decision)
    if fallback is not None:
        message = f"{sentence(fallback.message)} Restore the metrics to follow the load again."
        return fails(about, Reason.FALLBACK_APPLIED, message)
    if policy.spec.mode is Mode.RECOMMEND:
        message = "Decisions are recorded, not carried out: set spec.mode: Auto to act on them."
        return fails(about, Reason.RECOMMENDING, message)
    return _ACTIVE


def _fallback(decision: Decision) -> Step | None:
    return next((step for step in decision.steps if step.name == _FALLBACK), None)


def _meanwhile(policy: Policy, decision: Decision) -> str:
    if policy.spec.fallback.behavior is FallbackBehavior.STATIC and _fallback(decision):
        return f"The target has its {policy.spec.fallback.replicas} replicas of fallback meanwhile."
    return "Nothing is removed meanwhile."


def paused() -> Verdict:
    """Say that nothing is done because the policy says so."""
    message = "The last decision stays: set spec.mode: Auto to go on."
    return fails(ConditionType.SCALING_ACTIVE, Reason.PAUSED, message)


def limits(decision: Decision) -> Verdict:
    """Say whether the load needs more replicas than a limit lets it have."""
    step = limiting(decision)
    if step is None:
        return _NOT_LIMITED
    hint = f" {sentence(step.hint)}" if step.hint else ""
    return holds(
        ConditionType.SCALING_LIMITED,
        step.reason,
        f"{sentence(step.message)}{hint} {_RAISE[step.name]}",
    )


def limiting(decision: Decision) -> Step | None:
    """Give the last limit that cut the count, unless a later stage gave back what it took."""
    cuts = [
        step
        for step in decision.steps
        if step.name in _LIMITS and step.after < step.before and decision.replicas < step.before
    ]
    return cuts[-1] if cuts else None


def forecast(seen: Snapshot) -> Verdict:
    """Say whether the forecast may raise the count."""
    about = ConditionType.FORECAST_TRUSTED
    outlook = seen.outlook
    if outlook is None:
        message = "Too little load was seen yet: it comes by itself."
        return fails(about, Reason.NO_FORECAST, message)
    if outlook.trusted:
        return holds(about, Reason.TRUSTED, sentence(outlook.message))
    message = f"{sentence(outlook.message)} It may act once it does better; nothing has to be done."
    return fails(about, Reason.UNTRUSTED, message)


def _say_unknown(unknown: list[tuple[str, Missing]]) -> str:
    """Name each unknown reading with its reason, and each cure once."""
    names = ", ".join(f"{name} ({reading})" for name, reading in unknown)
    cures = dict.fromkeys(_CURES[reading.why] for _, reading in unknown)
    verb = "is" if len(unknown) == 1 else "are"
    return f"{names} {verb} unknown: {'; '.join(cures)}."
