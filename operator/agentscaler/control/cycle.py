"""One pass over the policies that are due: judge, observe, decide, record, act.

Only here do the parts meet. One policy's trouble ends with that policy: it is logged, and tried
again at the next poll.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from agentscaler.act.client import Api
from agentscaler.api.policy import Mode, Policy
from agentscaler.api.status import MAX_DRAINING, CandidateStatus, PolicyStatus, ScalingEvent
from agentscaler.clock import Clock
from agentscaler.control import draining, order, proceeding
from agentscaler.control.carrying import Carrier
from agentscaler.control.draining import Drains
from agentscaler.control.forecasts import Forecasts
from agentscaler.control.keyring import Keyring
from agentscaler.control.parties import Parties
from agentscaler.control.plans import Looked, Plan, scales
from agentscaler.control.proceeding import Line, Work, Works
from agentscaler.control.recording import Record
from agentscaler.control.registry import Entry
from agentscaler.control.standing import Judge, Unknown, Workable, current_of
from agentscaler.decide import draining as retreats
from agentscaler.decide import engine, shadow, work
from agentscaler.decide.snapshot import Snapshot
from agentscaler.forecast import rows
from agentscaler.observe.observer import Observer
from agentscaler.observe.pods import PodReadings
from agentscaler.observe.readings import Readings
from agentscaler.report import candidates, composing, logs, outlines
from agentscaler.report.outlines import Facts
from agentscaler.report.telemetry import Telemetry
from agentscaler.report.troubles import Trouble

# In each pass the others wait so long at most for those that grow.
_LEAD_SECONDS: Final = 1.0
# Long queries that are new delay a pass by so much at most.
_QUESTIONS: Final = timedelta(seconds=1)
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


class Cycle:
    """Takes policies that are due through one pass."""

    def __init__(self, parts: Parts, works: Works) -> None:
        self._parts = parts
        self._works = works
        self._carrier = Carrier(parts.api, parts.record, parts.drains, parts.clock)
        self.parties = Parties(works)

    async def run(self, due: Sequence[Entry], busy: Sequence[Entry] = ()) -> None:
        """Decide for these policies, for which nothing may be under way, and begin what follows.

        Those that are `busy` take part if what is under way for them ends before the metrics are
        there: passes of their own would ask Prometheus as much as that of all. What is to be
        written or done, and servers that are late, are not waited for: see `Works`, `Parties`.
        """
        now, parts = self._parts.clock.now(), self._parts
        parties = order.by_group(due, busy, parts.observer.group)
        await self.parties.serve(parties, partial(self._serve, now))
        parts.telemetry.count_api_requests(parts.api.requests, parts.api.throttled_seconds)

    async def _serve(self, now: datetime, due: Sequence[Entry], busy: Sequence[Entry]) -> None:
        halted, active = self._sort(due, now)
        asked = order.looking(busy)
        seen = await self._observe([*(each.policy for _, each in active), *asked.values()], now)
        free = self._works.free(order.unchanged(busy, asked))
        halted_late, active_late = self._sort(free, now)
        active = order.current(active + active_late, seen)
        active.sort(key=lambda one: order.rise(one[0], seen), reverse=True)
        calm = await self._look_at_all(active, seen, now)
        for plan in halted + halted_late:
            self._begin(plan)
        await self._begin_to_tell(calm)

    async def _look_at_all(
        self, active: Sequence[tuple[Entry, Workable]], seen: Mapping[str, Readings], now: datetime
    ) -> list[Looked]:
        """Decide for all; give those for which nothing is to be done.

        Growth begins as soon as it is decided: it waits neither for the pods of others nor for
        what there is to tell of them, which takes longer to find out than all decisions.
        """
        calm: list[Looked] = []
        shrinking: list[Looked] = []
        give_way = partial(self._give_way, self._parts.clock.monotonic() + _LEAD_SECONDS)
        async for entry, workable in proceeding.in_turns(active, give_way):
            with proceeding.alone(entry):
                looked = self._look(entry, workable, seen[workable.policy.key], now)
                if retreats.looks(looked.decision):
                    shrinking.append(looked)
                elif scales(workable, looked.decision):
                    self._begin(self._plan(looked))
                else:
                    calm.append(looked)
        self._retreat(shrinking, now)
        await give_way()
        return calm

    async def _give_way(self, until: float) -> None:
        """Let those that grow be served, who come first; the others wait so long at most."""
        left = until - self._parts.clock.monotonic()
        await asyncio.sleep(0)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                await self._works.ended(Line.GROWTH)

    async def _begin_to_tell(self, calm: Sequence[Looked]) -> None:
        """Begin to write the statuses of those whose counts stay.

        The oldest first: where more turns in each pass than can be told, everybody has a turn.
        """
        in_order = sorted(calm, key=lambda looked: order.told_at(looked.entry))
        async for looked in proceeding.in_turns(in_order):
            # One whose spec changed meanwhile is looked at anew, soon.
            if looked.entry.policy is looked.workable.policy:
                with proceeding.alone(looked.entry):
                    self._begin(self._plan(looked))

    def _sort(
        self, due: Sequence[Entry], now: datetime
    ) -> tuple[list[Plan], list[tuple[Entry, Workable]]]:
        """Tell those that can be worked on from those of which only that is to be said."""
        halted: list[Plan] = []
        active: list[tuple[Entry, Workable]] = []
        for entry in due:
            with proceeding.alone(entry):
                match self._judge(entry, now):
                    case Plan() as plan:
                        halted.append(plan)
                    case Workable() as workable:
                        active.append((entry, workable))
                    case None:
                        pass  # not enough is known of it; the status stays
        return halted, active

    def _retreat(self, shrinking: Sequence[Looked], now: datetime) -> None:
        """Begin to look at the pods of which some are to go, and to decide again with that."""
        if not shrinking:
            return
        policies = [each.workable.policy for each in shrinking]
        reading = asyncio.ensure_future(self._parts.drains.read(policies, now))
        for each in shrinking:
            self._works.begin(Line.RETREAT, each.entry, partial(self._shrink, each, reading))

    async def _shrink(
        self, looked: Looked, reading: "asyncio.Future[Mapping[str, PodReadings]]"
    ) -> Work | None:
        readings, policy = await reading, looked.workable.policy
        pods = await self._parts.drains.look(policy, looked.workable.target, readings[policy.key])
        if looked.entry.policy is not policy:
            return None  # its spec changed meanwhile: it is looked at anew, soon
        snapshot = replace(looked.snapshot, pods=pods)
        decision = engine.decide(policy.spec, snapshot, looked.entry.memory)
        plan = self._plan(replace(looked, snapshot=snapshot, decision=decision))
        return await self._carrier.execute(plan)

    def _judge(self, entry: Entry, now: datetime) -> Plan | Workable | None:
        self._parts.drains.meet(entry)
        standing = self._parts.judge.judge(entry, now)
        if isinstance(standing, Unknown):
            _LOG.warning("not known yet", policy=entry.key, why=standing.why)
            return None
        if not isinstance(standing, Workable):
            return self._halt(entry, standing, now)
        self._parts.drains.remember(entry, standing.target)
        if standing.policy.spec.mode is Mode.PAUSED:
            return self._pause(entry, standing, now)
        return standing

    def _halt(self, entry: Entry, trouble: Trouble, now: datetime) -> Plan:
        entry.unsee()
        found, count, landed = self._parts.judge.target(entry), None, None
        if found is not None:
            self._parts.drains.remember(entry, found)
            count = current_of(entry, found, now)
            landed = entry.hear(count, now, ours=self._parts.judge.is_ours(found))
        halted = composing.halted(
            entry.status,
            trouble,
            generation=entry.generation,
            now=now,
            target=_target_text(entry.policy) if entry.policy else "",
            landed=landed,
        )
        return self._noted(entry, halted, count)

    def _pause(self, entry: Entry, standing: Workable, now: datetime) -> Plan:
        entry.unsee()
        paused = composing.paused(
            entry.status,
            standing.policy,
            target=_target_text(standing.policy),
            replicas=standing.replicas,
            now=now,
            landed=self._hear(entry, standing, now),
        )
        return self._noted(entry, paused, standing.replicas.current)

    def _noted(self, entry: Entry, status: PolicyStatus, asked: int | None) -> Plan:
        following = status.model_copy(update={"draining": entry.draining[:MAX_DRAINING]})
        due = self._parts.record.note(entry, outlines.of(following))
        return Plan(entry, (lambda: following) if due else None, asked=asked)

    async def _observe(self, policies: list[Policy], now: datetime) -> Mapping[str, Readings]:
        parts = self._parts
        if not policies:
            parts.forecasts.feed((), now, {})  # time passes all the same
            return {}
        secrets = await parts.keyring.read(policies)
        seen = await parts.observer.observe(policies, now=now, secrets=secrets, at_most=_QUESTIONS)
        parts.telemetry.queries.labels(outcome="sent").inc(seen.queries)
        loads = ((key, work.load(readings.signals)) for key, readings in seen.readings.items())
        known = {key: load for key, load in loads if load is not None}
        parts.forecasts.feed(policies, parts.clock.now(), known)
        return seen.readings

    def _look(self, entry: Entry, workable: Workable, seen: Readings, now: datetime) -> Looked:
        policy, lead = workable.policy, entry.lead_time.value()
        landed = self._hear(entry, workable, now)
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
            lead=lead,
        )
        decision = engine.decide(policy.spec, snapshot, entry.memory)
        self._parts.telemetry.decisions.inc()
        return Looked(entry, workable, snapshot, decision, landed)

    def _hear(self, entry: Entry, found: Workable, now: datetime) -> ScalingEvent | None:
        ours = self._parts.judge.is_ours(found.target)
        return entry.hear(found.replicas.current, now, ours=ours)

    def _begin(self, plan: Plan) -> None:
        if not plan.is_settled:
            self._works.begin(plan.line, plan.entry, partial(self._carrier.execute, plan))

    def _plan(self, looked: Looked) -> Plan:
        entry, policy = looked.entry, looked.workable.policy
        snapshot, decision = looked.snapshot, looked.decision
        retreat = retreats.retreat_of(policy.spec, snapshot, decision)
        facts = Facts(
            _target_text(policy),
            lead_time=entry.lead_time.value(),
            contest=entry.contest,
            doubt=looked.workable.doubt,
            draining=entry.draining if retreat is None else draining.names(retreat),
            candidate=_rehearse(entry, policy, snapshot),
            bottleneck=entry.bottleneck,
            landed=looked.landed,
        )
        found = entry.status, policy, snapshot, decision, facts
        due = self._parts.record.note(entry, outlines.after(*found))
        keeps = retreats.looks(decision) and not draining.is_dark_for_long(entry, decision)
        asked = snapshot.replicas.current
        plan = Plan(entry, None, looked.workable, decision, retreat, keeps, asked)
        if due or plan.scales:
            plan = replace(plan, compose=partial(composing.decided, *found))
        entry.memory = decision.memory
        return plan


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
