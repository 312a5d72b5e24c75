"""The next status of a policy: after a decision, while paused, or when something stands in the way.

Each function takes the status before and gives the one after; nothing is written here. Whether it
is worth a write is in `report.outlines`; how it is written and read back, in `report.status`.
"""

from datetime import datetime

from agentscaler.api.policy import Mode, Policy
from agentscaler.api.status import (
    ConditionType,
    DecisionStatus,
    ForecastStatus,
    Outcome,
    PolicyStatus,
    ScalingEvent,
    StepStatus,
)
from agentscaler.decide.decision import Decision, Direction
from agentscaler.decide.snapshot import Replicas, Snapshot
from agentscaler.forecast.outlook import Outlook
from agentscaler.report import conditions, history, outlines, readings, verdicts
from agentscaler.report.history import History
from agentscaler.report.outlines import Facts
from agentscaler.report.troubles import Trouble


def decided(
    old: PolicyStatus, policy: Policy, seen: Snapshot, decision: Decision, facts: Facts
) -> PolicyStatus:
    """Give the status after a decision, with a scaling that is due recorded as pending."""
    outline = outlines.after(old, policy, seen, decision, facts)
    judged = verdicts.after(policy, seen, decision, facts.contest, facts.doubt)
    known, missing = readings.sort(seen)
    return PolicyStatus(
        observed_generation=outline.generation,
        mode=outline.mode,
        reason=outline.reason,
        message=outline.message,
        target=outline.target,
        current_replicas=outline.current,
        ready_replicas=outline.ready,
        desired_replicas=outline.desired,
        last_scale_up_time=outline.last_up,
        last_scale_down_time=outline.last_down,
        last_update_time=_whole(seen.now),
        lead_time=outline.lead_time,
        slots_per_replica=outline.slots,
        reserve=_reserve(old, decision),
        decision=_decision(old, decision),
        forecast=None if seen.outlook is None else _forecast(seen.outlook),
        candidate=outline.candidate,
        limits=outline.limits,
        bottleneck=outline.bottleneck,
        signals=known,
        missing=missing,
        draining=outline.draining,
        conditions=conditions.turn(
            old.conditions, judged, generation=policy.generation, now=seen.now
        ),
        history=outline.history,
    )


def _reserve(old: PolicyStatus, decision: Decision) -> str:
    reserve = decision.memory.reserve
    return old.reserve if reserve is None else f"{reserve:.2f}"


def ended(
    old: PolicyStatus, scaling: ScalingEvent, outcome: Outcome, *, failure: str = ""
) -> PolicyStatus:
    """Give the status after a recorded scaling was carried out, or failed."""
    past = history.mark(old.history, scaling.id, outcome, failure)
    if outcome is not Outcome.APPLIED:
        return old.model_copy(update={"history": past})
    return _with(old, past).model_copy(update={"current_replicas": scaling.to})


def paused(
    old: PolicyStatus,
    policy: Policy,
    *,
    target: str,
    replicas: Replicas | None,
    now: datetime,
    landed: ScalingEvent | None = None,
) -> PolicyStatus:
    """Give the status of a policy that does nothing by its own word; the last decision stays."""
    verdict = verdicts.paused()
    judged = (verdicts.READY, verdict, verdicts.NO_CONFLICT)
    past = _ended(old, landed)
    return _with(old, past[: policy.spec.history_limit]).model_copy(
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
            "conditions": conditions.turn(
                old.conditions, judged, generation=policy.generation, now=now
            ),
        }
    )


def halted(
    old: PolicyStatus,
    trouble: Trouble,
    *,
    generation: int,
    now: datetime,
    target: str = "",
    landed: ScalingEvent | None = None,
) -> PolicyStatus:
    """Give the status of a policy that cannot do its work.

    What is stale is dropped: counts, readings, decision. What was learned and done stays.
    """
    old = _with(old, _ended(old, landed))
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
        history=old.history,
    )


def _ended(old: PolicyStatus, landed: ScalingEvent | None) -> History:
    """Give the history of a policy that does no more: what is pending was done by now, or not."""
    return history.overtake(history.settle(old.history, landed))


def _with(old: PolicyStatus, past: History) -> PolicyStatus:
    """Give a status with that history, and the times of the scalings that it tells of."""
    last_up = history.last_applied(past, Direction.UP)
    last_down = history.last_applied(past, Direction.DOWN)
    return old.model_copy(
        update={
            "history": past,
            "last_scale_up_time": outlines.latest(old.last_scale_up_time, last_up),
            "last_scale_down_time": outlines.latest(old.last_scale_down_time, last_down),
        }
    )


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
        lookahead=outlines.seconds(outlook.lookahead),
        expected=readings.amount("slots", outlook.expected),
        upper=readings.amount("slots", outlook.upper),
        trusted=outlook.trusted,
        message=outlook.message,
    )


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=0)
