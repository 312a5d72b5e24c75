"""The next status of a policy: after a decision, while paused, or when something stands in the way.

Each function takes the status before and gives the one after; nothing is written here. Whether it
is worth a write, and how it is written and read back, is in `report.status`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agentscaler.api.policy import Mode, Policy
from agentscaler.api.status import (
    MAX_DRAINING,
    BottleneckStatus,
    CandidateStatus,
    Condition,
    ConditionType,
    DecisionStatus,
    ForecastStatus,
    Outcome,
    PolicyStatus,
    Reason,
    ScalingEvent,
    StepStatus,
)
from agentscaler.decide.decision import Decision, Direction
from agentscaler.decide.snapshot import Replicas, Snapshot
from agentscaler.forecast.outlook import Outlook
from agentscaler.quantities import format_duration, format_quantity
from agentscaler.report import conditions, history, limits, readings, verdicts
from agentscaler.report.conditions import Verdict
from agentscaler.report.troubles import Trouble

_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the cycle knows of a policy beside its snapshot and decision.

    `target` is "Deployment/NAME"; `contest` tells who else writes its `spec.replicas`; `draining`
    names the pods that are to go, `candidate` says what that would do, and `bottleneck` what holds
    the agent back.
    """

    target: str
    lead_time: timedelta | None = None
    contest: Trouble | None = None
    draining: tuple[str, ...] = ()
    candidate: CandidateStatus | None = None
    bottleneck: BottleneckStatus | None = None


def decided(
    old: PolicyStatus, policy: Policy, seen: Snapshot, decision: Decision, facts: Facts
) -> PolicyStatus:
    """Give the status after a decision, with a scaling that is due recorded as pending."""
    past = _past(old, policy, seen, decision)
    judged = conditions.turn(
        old.conditions,
        (
            verdicts.READY,
            *verdicts.of(policy, seen, decision),
            _contest(facts.contest),
            verdicts.NO_CONFLICT,
        ),
        generation=policy.generation,
        now=seen.now,
    )
    known, missing = readings.sort(seen)
    slots = decision.memory.slots_per_replica
    reason, message = _headline(judged, decision)
    return PolicyStatus(
        observed_generation=policy.generation,
        mode=policy.spec.mode,
        reason=reason,
        message=message,
        target=facts.target,
        current_replicas=seen.replicas.current,
        ready_replicas=seen.replicas.ready,
        desired_replicas=decision.replicas,
        last_scale_up_time=_last(old.last_scale_up_time, past, decision, Direction.UP),
        last_scale_down_time=_last(old.last_scale_down_time, past, decision, Direction.DOWN),
        last_update_time=_whole(seen.now),
        lead_time=old.lead_time if facts.lead_time is None else _seconds(facts.lead_time),
        slots_per_replica=old.slots_per_replica if slots is None else format_quantity(slots),
        reserve=_reserve(old, decision),
        decision=_decision(old, decision),
        forecast=None if seen.outlook is None else _forecast(seen.outlook),
        candidate=facts.candidate,
        limits=limits.written(policy.spec, decision),
        bottleneck=facts.bottleneck,
        signals=known,
        missing=missing,
        draining=facts.draining[:MAX_DRAINING],
        conditions=judged,
        history=past,
    )


def _reserve(old: PolicyStatus, decision: Decision) -> str:
    reserve = decision.memory.reserve
    return old.reserve if reserve is None else f"{reserve:.2f}"


def ended(
    old: PolicyStatus, scaling: ScalingEvent, outcome: Outcome, *, failure: str = ""
) -> PolicyStatus:
    """Give the status after a recorded scaling was carried out, or failed."""
    past = history.mark(old.history, scaling.id, outcome, failure)
    changes: dict[str, object] = {"history": past}
    if outcome is Outcome.APPLIED:
        changes |= {
            "current_replicas": scaling.to,
            "last_scale_up_time": _latest(
                old.last_scale_up_time, history.last_applied(past, Direction.UP)
            ),
            "last_scale_down_time": _latest(
                old.last_scale_down_time, history.last_applied(past, Direction.DOWN)
            ),
        }
    return old.model_copy(update=changes)


def paused(
    old: PolicyStatus, policy: Policy, *, target: str, replicas: Replicas | None, now: datetime
) -> PolicyStatus:
    """Give the status of a policy that does nothing by its own word; the last decision stays."""
    verdict = verdicts.paused()
    judged = (verdicts.READY, verdict, verdicts.NO_CONFLICT)
    return old.model_copy(
        update={
            "observed_generation": policy.generation,
            "mode": Mode.PAUSED.value,
            "reason": verdict.reason,
            "message": verdict.message,
            "target": target,
            "current_replicas": replicas.current if replicas else None,
            "ready_replicas": replicas.ready if replicas else None,
            "last_update_time": _whole(now),
            "bottleneck": None,
            "history": history.overtake(old.history)[: policy.spec.history_limit],
            "conditions": conditions.turn(
                old.conditions, judged, generation=policy.generation, now=now
            ),
        }
    )


def halted(
    old: PolicyStatus, trouble: Trouble, *, generation: int, now: datetime, target: str = ""
) -> PolicyStatus:
    """Give the status of a policy that cannot do its work.

    What is stale is dropped: counts, readings, decision. What was learned and done stays.
    """
    judged = [conditions.fails(ConditionType.READY, trouble.reason, trouble.message)]
    judged.append(conditions.fails(ConditionType.SCALING_ACTIVE, trouble.reason, trouble.message))
    if trouble.condition is ConditionType.CONFLICT:
        judged.append(conditions.holds(trouble.condition, trouble.reason, trouble.message))
    return PolicyStatus(
        observed_generation=generation,
        reason=trouble.reason,
        message=trouble.message,
        target=target or old.target,
        last_scale_up_time=old.last_scale_up_time,
        last_scale_down_time=old.last_scale_down_time,
        last_update_time=_whole(now),
        lead_time=old.lead_time,
        slots_per_replica=old.slots_per_replica,
        reserve=old.reserve,
        candidate=old.candidate,
        limits=old.limits,
        draining=old.draining,
        conditions=conditions.turn(old.conditions, judged, generation=generation, now=now),
        history=history.overtake(old.history),
    )


def _headline(judged: tuple[Condition, ...], decision: Decision) -> tuple[str, str]:
    """Give what matters most: the fallback, unknown metrics, a foreign writer; the decision."""
    for condition in (
        conditions.find(judged, ConditionType.SCALING_ACTIVE),
        conditions.find(judged, ConditionType.METRICS_AVAILABLE),
        conditions.find(judged, ConditionType.REPLICAS_CONTESTED),
    ):
        if condition is None or condition.reason == Reason.RECOMMENDING:
            continue
        if conditions.is_unwelcome(condition):
            return condition.reason, condition.message
    return decision.reason, decision.message


def _past(old: PolicyStatus, policy: Policy, seen: Snapshot, decision: Decision) -> history.History:
    """Give the history with what is known by now, and with the move that the decision asks for."""
    limit = policy.spec.history_limit
    past = history.settle(old.history, seen.replicas.current)
    if decision.direction is Direction.NONE:
        return history.overtake(past)[:limit]
    if old.desired_replicas == decision.replicas and history.is_under_way(
        past, decision, policy.spec.mode
    ):
        return past[:limit]
    event = history.draft(policy, decision, readings.pairs(seen))
    return history.record(past, event, limit=limit)


def _contest(contest: Trouble | None) -> Verdict:
    if contest is None:
        return verdicts.UNCONTESTED
    return conditions.holds(contest.condition, contest.reason, contest.message)


def _decision(old: PolicyStatus, decision: Decision) -> DecisionStatus:
    before = old.decision
    stands = old.desired_replicas == decision.replicas
    since = before.since if before and stands and before.reason == decision.reason else decision.at
    return DecisionStatus(
        since=_whole(since),
        reason=decision.reason,
        message=decision.message,
        hint=decision.hint,
        steps=tuple(
            StepStatus(
                name=step.name,
                before=step.before,
                after=step.after,
                reason=step.reason,
                message=step.message,
            )
            for step in decision.steps
        ),
    )


def _forecast(outlook: Outlook) -> ForecastStatus:
    return ForecastStatus(
        method=outlook.method,
        lookahead=_seconds(outlook.lookahead),
        expected=readings.amount("slots", outlook.expected),
        upper=readings.amount("slots", outlook.upper),
        trusted=outlook.trusted,
        message=outlook.message,
    )


def _last(
    recorded: datetime | None, past: history.History, decision: Decision, way: Direction
) -> datetime | None:
    """Give the last scaling this way: as recorded, remembered, or found to have been applied."""
    memory = decision.memory
    remembered = memory.last_up if way is Direction.UP else memory.last_down
    return _latest(
        recorded, history.last_applied(past, way), remembered and _rounded_up(remembered)
    )


def _latest(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time is not None), default=None)


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _rounded_up(at: datetime) -> datetime:
    """Give the next whole second, so that a cooldown read back from it never ends early."""
    return at if at.microsecond == 0 else _whole(at) + _SECOND


def _seconds(span: timedelta) -> str:
    return format_duration(timedelta(seconds=round(span.total_seconds())))
