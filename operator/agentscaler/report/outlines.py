"""The outline of a status: what of it is worth a write of its own, and what is exported.

Most decisions change nothing of it but figures. Their status is never put into words, which takes
longer than all decisions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agentscaler.api.policy import Policy
from agentscaler.api.status import (
    MAX_DRAINING,
    BottleneckStatus,
    CandidateStatus,
    Condition,
    ConditionType,
    LimitsStatus,
    PolicyStatus,
    Reason,
    ScalingEvent,
    StepStatus,
)
from agentscaler.decide.decision import Decision, Direction, Step
from agentscaler.decide.snapshot import Missing, Snapshot
from agentscaler.quantities import format_duration, format_quantity
from agentscaler.report import conditions, history, limits, readings, verdicts
from agentscaler.report.conditions import Verdict
from agentscaler.report.history import History
from agentscaler.report.troubles import Trouble

# Reasons that a noisy load turns into each other while the count stays: a third of 400 policies
# changed theirs within 15 s. Each of these turns as a write is a third of the cluster's writes.
_OF_THE_LOAD: Final = frozenset(
    {"Demand", "Forecast", "CustomMetric", "WithinThresholds", "Calm", "Stabilizing", "AtMinimum"}
)
# Stages that limit what the load needs; the count before the first of them is the proposal.
_PACE_AND_BOUNDS: Final = frozenset(
    {"damping", "stabilization", "cooldown", "step", "safety", "fallback", "budget", "bounds"}
)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the cycle knows of a policy beside its snapshot and decision.

    `target` is "Deployment/NAME"; `contest` tells who else writes its `spec.replicas`, `doubt` why
    another autoscaler on it may go unnoticed; `draining` names the pods that are to go,
    `candidate` says what that would do, and `bottleneck` what holds the agent back. `landed` is a
    scaling of which only the count tells that it was carried out.
    """

    target: str
    lead_time: timedelta | None = None
    contest: Trouble | None = None
    doubt: Trouble | None = None
    draining: tuple[str, ...] = ()
    candidate: CandidateStatus | None = None
    bottleneck: BottleneckStatus | None = None
    landed: ScalingEvent | None = None


@dataclass(frozen=True, slots=True)
class Outline:
    """A status without its readings, steps and story; `decided` is the reason of the decision.

    `proposed` is the count that the load needs, before pace and bounds.
    """

    generation: int
    mode: str
    reason: str
    message: str
    target: str
    current: int | None
    ready: int | None
    desired: int | None
    proposed: int | None
    decided: str
    last_up: datetime | None
    last_down: datetime | None
    lead_time: str
    slots: str
    expected: float | None
    upper: float | None
    candidate: CandidateStatus | None
    limits: LimitsStatus | None
    bottleneck: BottleneckStatus | None
    missing: tuple[str, ...]
    draining: tuple[str, ...]
    verdicts: Sequence[Verdict | Condition]
    history: History


def of(status: PolicyStatus) -> Outline:
    """Give the outline of a status that is there."""
    decision, forecast = status.decision, status.forecast
    return Outline(
        generation=status.observed_generation,
        mode=status.mode,
        reason=status.reason,
        message=status.message,
        target=status.target,
        current=status.current_replicas,
        ready=status.ready_replicas,
        desired=status.desired_replicas,
        proposed=_proposed(decision.steps, status.desired_replicas) if decision else None,
        decided=decision.reason if decision else "",
        last_up=status.last_scale_up_time,
        last_down=status.last_scale_down_time,
        lead_time=status.lead_time,
        slots=status.slots_per_replica,
        expected=float(forecast.expected or 0) if forecast else None,
        upper=float(forecast.upper or 0) if forecast else None,
        candidate=status.candidate,
        limits=status.limits,
        bottleneck=status.bottleneck,
        missing=tuple(status.missing),
        draining=status.draining,
        verdicts=status.conditions,
        history=status.history,
    )


def after(
    old: PolicyStatus, policy: Policy, seen: Snapshot, decision: Decision, facts: Facts
) -> Outline:
    """Give the outline of the status after a decision, a scaling that is due being pending."""
    past = _past(old, policy, seen, decision, facts.landed)
    judged = verdicts.after(policy, seen, decision, facts.contest, facts.doubt)
    reason, message = _headline(judged, decision)
    slots, outlook = decision.memory.slots_per_replica, seen.outlook
    return Outline(
        generation=policy.generation,
        mode=policy.spec.mode.value,
        reason=reason,
        message=message,
        target=facts.target,
        current=seen.replicas.current,
        ready=seen.replicas.ready,
        desired=decision.replicas,
        proposed=_proposed(decision.steps, decision.replicas),
        decided=decision.reason,
        last_up=_last(old.last_scale_up_time, past, decision.memory.last_up, Direction.UP),
        last_down=_last(old.last_scale_down_time, past, decision.memory.last_down, Direction.DOWN),
        lead_time=old.lead_time if facts.lead_time is None else seconds(facts.lead_time),
        slots=old.slots_per_replica if slots is None else format_quantity(slots),
        expected=None if outlook is None else readings.rounded(outlook.expected),
        upper=None if outlook is None else readings.rounded(outlook.upper),
        candidate=facts.candidate,
        limits=limits.written(policy.spec, decision),
        bottleneck=facts.bottleneck,
        missing=tuple(n for n, reading in readings.of(seen) if isinstance(reading, Missing)),
        draining=facts.draining[:MAX_DRAINING],
        verdicts=judged,
        history=past,
    )


def is_material(old: Outline, new: Outline) -> bool:
    """Tell whether a status that differs so from the one on record is to be written at once.

    Counts, conditions, history, mode, generation, lead time, the bottleneck and most reasons are
    worth it; readings, sentences and reasons that fluctuate with the load are not.
    """
    return _essence(old) != _essence(new)


def speaks_otherwise(old: Outline, new: Outline) -> bool:
    """Tell whether another reason is given than the one on record, of whichever kind."""
    return (old.reason, old.decided) != (new.reason, new.decided)


def latest(*times: datetime | None) -> datetime | None:
    """Give the last of the times that are known."""
    return max((time for time in times if time is not None), default=None)


def seconds(span: timedelta) -> str:
    """Write a time span to the second."""
    return format_duration(timedelta(seconds=round(span.total_seconds())))


def _essence(outline: Outline) -> tuple[object, ...]:
    """Give all that is worth a write of its own."""
    candidate, known, found = outline.candidate, outline.limits, outline.bottleneck
    return (
        outline.generation,
        outline.mode,
        _steadied(outline.reason),
        outline.target,
        outline.current,
        outline.ready,
        outline.desired,
        outline.last_up,
        outline.last_down,
        outline.lead_time,
        outline.slots == "",
        _steadied(outline.decided),
        outline.expected is None,
        candidate and (candidate.desired_replicas, _steadied(candidate.reason)),
        known and (known.ceilings, known.phantom is None),
        found and found.verdict,
        outline.draining,
        [(each.type, each.status, each.reason) for each in outline.verdicts],
        [(event.id, event.outcome) for event in outline.history],
    )


def _steadied(reason: str) -> str:
    return "of the load" if reason in _OF_THE_LOAD else reason


def _headline(judged: Iterable[Verdict], decision: Decision) -> tuple[str, str]:
    """Give what matters most: the fallback, unknown metrics, a foreign writer; the decision."""
    unwelcome = {each.type: each for each in judged if conditions.is_unwelcome(each)}
    for about in (
        ConditionType.SCALING_ACTIVE,
        ConditionType.METRICS_AVAILABLE,
        ConditionType.REPLICAS_CONTESTED,
    ):
        verdict = unwelcome.get(about)
        if verdict is not None and verdict.reason != Reason.RECOMMENDING:
            return verdict.reason, verdict.message
    return decision.reason, decision.message


def _past(
    old: PolicyStatus,
    policy: Policy,
    seen: Snapshot,
    decision: Decision,
    landed: ScalingEvent | None,
) -> History:
    """Give the history with what is known by now, and with the move that the decision asks for."""
    limit = policy.spec.history_limit
    past = history.settle(old.history, landed)
    if decision.direction is Direction.NONE:
        return history.overtake(past)[:limit]
    if old.desired_replicas == decision.replicas and history.is_under_way(
        past, decision, policy.spec.mode
    ):
        return history.try_again(past, decision.at)[:limit]
    event = history.draft(policy, decision, readings.pairs(seen))
    return history.record(past, event, limit=limit)


def _proposed(steps: Iterable[Step | StepStatus], desired: int | None) -> int | None:
    return next((step.before for step in steps if step.name in _PACE_AND_BOUNDS), desired)


def _last(
    recorded: datetime | None, past: History, remembered: datetime | None, way: Direction
) -> datetime | None:
    """Give the last scaling this way: as recorded, remembered, or found to have been applied."""
    return latest(recorded, history.last_applied(past, way), remembered and _rounded_up(remembered))


def _rounded_up(at: datetime) -> datetime:
    """Give the next whole second, so that a cooldown read back from it never ends early."""
    return at if at.microsecond == 0 else at.replace(microsecond=0) + _SECOND
