"""One pass over the policies that are due: judge, observe, decide, record, act.

Only here do the parts meet. One policy's trouble ends with that policy: it is logged, and tried
again at the next poll.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from agentscaler.act.client import Api
from agentscaler.api.policy import Mode, Policy
from agentscaler.api.status import CandidateStatus, Outcome, PolicyStatus
from agentscaler.clock import Clock
from agentscaler.control import draining, scaling
from agentscaler.control.draining import Drains
from agentscaler.control.forecasts import Forecasts
from agentscaler.control.keyring import Keyring
from agentscaler.control.recording import Record
from agentscaler.control.registry import Entry
from agentscaler.control.standing import Judge, Unknown, Workable, reference_of
from agentscaler.decide import draining as retreats
from agentscaler.decide import engine, shadow, work
from agentscaler.decide.decision import Decision, Direction, carried_out
from agentscaler.decide.draining import Retreat
from agentscaler.decide.snapshot import Snapshot
from agentscaler.errors import ClusterError, ConflictError, LeadershipLostError
from agentscaler.forecast import rows
from agentscaler.observe.observer import Observer
from agentscaler.observe.readings import Readings
from agentscaler.report import candidates, composing, history, logs
from agentscaler.report.composing import Facts
from agentscaler.report.events import Reference
from agentscaler.report.telemetry import Telemetry

# Between so many decisions the loop turns, for probes, watches and the lease.
_AT_ONCE: Final = 50
_LOG: Final = logs.logger("agentscaler.cycle")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pass works with."""

    api: Api
    judge: Judge
    observer: Observer
    forecasts: Forecasts
    drains: Drains
    keyring: Keyring
    record: Record
    telemetry: Telemetry
    clock: Clock


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written for one policy: its next status, and the decision to carry out.

    `retreat` says which pods go; `keeps` is true while nothing can be said about those chosen
    before.
    """

    entry: Entry
    status: PolicyStatus
    workable: Workable | None = None
    decision: Decision | None = None
    retreat: Retreat | None = None
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class _Looked:
    """A policy, what was seen of it, and what that leads to."""

    entry: Entry
    workable: Workable
    snapshot: Snapshot
    decision: Decision


class Cycle:
    """Takes policies that are due through one pass."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, due: Sequence[Entry]) -> list[Entry]:
        """Take these policies through a pass; give those to look at again right away."""
        now = self._parts.clock.now()
        plans, shrinking = await self._plan(due, now)
        # Growth does not wait for a look at the pods of those that shrink.
        works = (
            self._carry_out(plans),
            self._retreat(shrinking, now),
            self._parts.drains.release_left_behind(),
        )
        ended = await asyncio.gather(*works, return_exceptions=True)
        self._parts.telemetry.count_api_requests(self._parts.api.requests)
        again: list[Entry] = []
        for each in ended:
            if isinstance(each, BaseException):
                raise each
            again += each or ()
        return again

    async def _carry_out(self, plans: Sequence[Plan]) -> list[Entry]:
        """Write and do what was planned; give the policies to look at again right away."""
        results = await asyncio.gather(
            *(self._execute(plan) for plan in plans), return_exceptions=True
        )
        again = []
        for plan, result in zip(plans, results, strict=True):
            with _alone(plan.entry):
                if isinstance(result, ConflictError):
                    _LOG.info("looked at again", policy=plan.entry.key, why=str(result))
                    again.append(plan.entry)
                elif result is not None:
                    raise result
        return again

    async def _plan(self, due: Sequence[Entry], now: datetime) -> tuple[list[Plan], list[_Looked]]:
        """Plan for all policies but those whose pods have a say: give these as they were seen."""
        plans: list[Plan] = []
        active: list[tuple[Entry, Workable]] = []
        for entry in due:
            with _alone(entry):
                match self._judge(entry, now):
                    case Plan() as plan:
                        plans.append(plan)
                    case Workable() as workable:
                        active.append((entry, workable))
                    case None:
                        pass  # nothing is known of its target; the status stays
        seen = await self._observe([workable.policy for _, workable in active], now)
        shrinking: list[_Looked] = []
        for number, (entry, workable) in enumerate(active, start=1):
            with _alone(entry):
                looked = self._look(entry, workable, seen[workable.policy.key], now)
                if retreats.looks(looked.decision):
                    shrinking.append(looked)
                else:
                    plans.append(self._compose(looked))
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        return plans, shrinking

    async def _retreat(self, shrinking: Sequence[_Looked], now: datetime) -> list[Entry]:
        """Decide again, with a look at the pods of which some are to go, and carry that out."""
        targets = [(each.workable.policy, each.workable.target) for each in shrinking]
        seen = await self._parts.drains.look(targets, now)
        plans = []
        for each in shrinking:
            with _alone(each.entry):
                policy, memory = each.workable.policy, each.entry.memory
                snapshot = replace(each.snapshot, pods=seen[policy.key])
                decision = engine.decide(policy.spec, snapshot, memory)
                plans.append(self._compose(replace(each, snapshot=snapshot, decision=decision)))
        return await self._carry_out(plans)

    def _judge(self, entry: Entry, now: datetime) -> Plan | Workable | None:
        standing = self._parts.judge.judge(entry, now)
        target = _target_text(entry.policy) if entry.policy else ""
        if isinstance(standing, Unknown):
            _LOG.warning("target unknown", policy=entry.key, why=standing.why)
            return None
        if not isinstance(standing, Workable):
            entry.unsee()
            halted = composing.halted(
                entry.status, standing, generation=entry.generation, now=now, target=target
            )
            return Plan(entry, halted)
        self._parts.drains.remember(entry, standing.target)
        if standing.policy.spec.mode is Mode.PAUSED:
            entry.unsee()
            paused = composing.paused(
                entry.status, standing.policy, target=target, replicas=standing.replicas, now=now
            )
            return Plan(entry, paused)
        return standing

    async def _observe(self, policies: list[Policy], now: datetime) -> Mapping[str, Readings]:
        parts = self._parts
        if not policies:
            return {}
        secrets = await parts.keyring.read(policies)
        seen = await parts.observer.observe(policies, now=now, secrets=secrets)
        parts.telemetry.queries.labels(outcome="sent").inc(seen.queries)
        for policy in policies:
            parts.forecasts.follow(policy)
        loads = ((key, work.load(readings.signals)) for key, readings in seen.readings.items())
        parts.forecasts.note(now, {key: load for key, load in loads if load is not None})
        return seen.readings

    def _look(self, entry: Entry, workable: Workable, seen: Readings, now: datetime) -> _Looked:
        policy, lead = workable.policy, entry.lead_time.value()
        _start_clock(entry, workable.replicas.current)
        entry.readings = seen
        snapshot = Snapshot(
            now=now,
            replicas=workable.replicas,
            signals=seen.signals,
            metrics=seen.metrics,
            gates=seen.gates,
            providers=seen.providers,
            outlook=self._parts.forecasts.outlook(policy, now, lead),
            partial=seen.partial,
            woken=entry.woken,
        )
        decision = engine.decide(policy.spec, snapshot, entry.memory)
        return _Looked(entry, workable, snapshot, decision)

    def _compose(self, looked: _Looked) -> Plan:
        entry, policy = looked.entry, looked.workable.policy
        snapshot, decision = looked.snapshot, looked.decision
        retreat = retreats.retreat_of(policy.spec, snapshot, decision)
        facts = Facts(
            _target_text(policy),
            lead_time=entry.lead_time.value(),
            contest=entry.contest,
            draining=entry.draining if retreat is None else draining.names(retreat),
            candidate=_rehearse(entry, policy, snapshot),
            bottleneck=entry.bottleneck,
        )
        following = composing.decided(entry.status, policy, snapshot, decision, facts)
        entry.memory = decision.memory
        self._parts.telemetry.decisions.inc()
        keeps = retreats.looks(decision)
        return Plan(entry, following, looked.workable, decision, retreat, keeps)

    async def _execute(self, plan: Plan) -> None:
        """Record, then act, then record what came of it."""
        entry, workable, decision = plan.entry, plan.workable, plan.decision
        recommended = entry.status.desired_replicas
        await self._parts.record.write(entry, plan.status, _reference(workable))
        if workable is not None and plan.retreat is not None:
            await self._parts.drains.choose(entry, workable.target, plan.retreat)
        elif entry.draining and not plan.keeps:
            await self._parts.drains.release(entry)
        if workable is None or decision is None or decision.direction is Direction.NONE:
            return
        if workable.policy.spec.mode is Mode.AUTO:
            await self._act(entry, workable, decision, plan.retreat)
        elif decision.replicas != recommended:
            # A new recommendation starts the clocks, as if it were followed.
            entry.memory = carried_out(decision)

    async def _act(
        self, entry: Entry, workable: Workable, decision: Decision, retreat: Retreat | None
    ) -> None:
        parts, target = self._parts, _reference(workable)
        event = history.attempt(entry.status.history, decision)
        if event is None:
            return
        try:
            if retreat is not None:
                await parts.drains.stamp(entry.namespace, retreat)
            await scaling.carry_out(parts.api, workable.policy, decision)
        except ConflictError:
            raise
        except ClusterError as exc:
            if not await scaling.is_undone(parts.api, workable.policy, decision):
                raise  # it stays pending: the next pass sees what came of it
            failed = composing.ended(entry.status, event, Outcome.FAILED, failure=str(exc))
            await parts.record.write(entry, failed, target)
            return
        entry.memory = carried_out(decision)
        entry.draining = tuple(pod.name for pod in retreat.waiting) if retreat else entry.draining
        entry.replicas, entry.stale_version = decision.replicas, workable.target.resource_version
        if decision.direction is Direction.UP:
            entry.lead_time.asked(decision.replicas, parts.clock.now())
        applied = composing.ended(entry.status, event, Outcome.APPLIED)
        await parts.record.write(entry, applied, target)


@contextmanager
def _alone(entry: Entry) -> Iterator[None]:
    """Let what fails for one policy fail for this one only: it is tried again at the next poll."""
    try:
        yield
    except LeadershipLostError:
        raise
    except ClusterError as exc:
        _LOG.warning("policy not served", policy=entry.key, error=str(exc))
    except Exception as exc:  # noqa: BLE001 - a defect; the other policies have none of it
        _LOG.error("policy failed", policy=entry.key, exc_info=exc)


def _start_clock(entry: Entry, current: int) -> None:
    """Count a scaling whose end nobody recorded: the answer was lost, or who asked has ended."""
    event = history.unsettled(entry.status.history)
    if event is None or event.to != current:
        return
    at = event.time + timedelta(seconds=1)  # recorded times are cut: no cooldown may end early
    if history.direction_of(event) is Direction.UP:
        entry.memory = replace(entry.memory, last_up=at)
    else:
        entry.memory = replace(entry.memory, last_down=at)


def _rehearse(entry: Entry, policy: Policy, seen: Snapshot) -> CandidateStatus | None:
    """Decide for the candidate, if there is one; nothing is ever done about it."""
    spec = policy.spec.rehearsed
    if spec is None:
        entry.shadow = None
        return None
    lead = entry.lead_time.value() or rows.UNKNOWN_LEAD
    decision, entry.shadow = shadow.follow(spec, seen, entry.shadow or shadow.begin(seen), lead)
    return candidates.of(decision, entry.shadow)


def _target_text(policy: Policy) -> str:
    ref = policy.spec.scale_target_ref
    return f"{ref.kind}/{ref.name}"


def _reference(workable: Workable | None) -> Reference | None:
    return None if workable is None else reference_of(workable.policy, workable.target)
