"""Carry a plan out: record what was decided, then do it, and give what came of it."""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from agentscaler.act.client import Api
from agentscaler.act.workloads import Outdated
from agentscaler.api.status import Outcome
from agentscaler.clock import Clock
from agentscaler.control import scaling
from agentscaler.control.draining import Drains
from agentscaler.control.plans import Plan
from agentscaler.control.proceeding import Work
from agentscaler.control.recording import Record
from agentscaler.control.registry import Entry, target_of
from agentscaler.control.standing import Workable, reference_of
from agentscaler.decide.decision import Decision, Direction, carried_out
from agentscaler.errors import ClusterError, ConflictError
from agentscaler.report import composing, history, outlines
from agentscaler.report.events import Reference

# For so long the watch may tell of versions from before our own change that we never saw.
_WATCH_BEHIND: Final = timedelta(minutes=5)


class Carrier:
    """Writes statuses, chooses pods and sets counts, for one policy at a time."""

    def __init__(self, api: Api, record: Record, drains: Drains, clock: Clock) -> None:
        self._api = api
        self._record = record
        self._drains = drains
        self._clock = clock

    async def execute(self, plan: Plan) -> Work | None:
        """Record, then act; give what came of it, to be recorded when nobody grows."""
        if plan.is_outdated:
            return None
        entry, workable, decision = plan.entry, plan.workable, plan.decision
        recommended, target = entry.status.desired_replicas, _reference(workable)
        if plan.compose is not None:
            await self._record.write(entry, plan.compose(), target, always=plan.scales)
        if workable is not None and plan.retreat is not None:
            await self._drains.choose(entry, workable.target, plan.retreat)
        elif entry.draining and not plan.keeps:
            await self._drains.release(entry, plan.asked)
        if workable is None or decision is None or decision.direction is Direction.NONE:
            return None
        if plan.scales:
            return await self._act(plan, workable, decision)
        if decision.replicas != recommended:
            # A new recommendation starts the clocks, as if it were followed.
            entry.memory = carried_out(decision)
        return None

    async def _act(self, plan: Plan, workable: Workable, decision: Decision) -> Work | None:
        entry, retreat, target = plan.entry, plan.retreat, _reference(workable)
        event = history.attempt(entry.status.history, decision)
        if event is None:
            return None
        try:
            if retreat is not None:
                await self._drains.stamp(entry.namespace, retreat)
            tried = await scaling.carry_out(
                self._api,
                workable.policy,
                decision,
                workable.target.resource_version,
                is_wanted=lambda: not plan.is_outdated,
            )
        except ConflictError:
            raise
        except ClusterError as exc:
            if not await scaling.is_undone(self._api, workable.policy, decision):
                raise  # it stays pending: the next pass sees what came of it
            failed = composing.ended(entry.status, event, Outcome.FAILED, failure=str(exc))
            self._record.note(entry, outlines.of(failed))
            return partial(self._record.write, entry, failed, target)
        if entry.target in {None, target_of(workable.policy)}:
            _remember(entry, decision, tried, self._clock.now())
        applied = composing.ended(entry.status, event, Outcome.APPLIED)
        self._record.note(entry, outlines.of(applied))
        return partial(self._record.write, entry, applied, target)


def _remember(entry: Entry, decision: Decision, tried: tuple[str, ...], now: datetime) -> None:
    """Take up that the decision was carried out; these versions of the target are from before."""
    entry.memory = carried_out(decision)
    entry.replicas, entry.outdated = decision.replicas, Outdated(tried, now + _WATCH_BEHIND)
    if decision.direction is Direction.UP:
        entry.lead_time.asked(decision.replicas, now)


def _reference(workable: Workable | None) -> Reference | None:
    return None if workable is None else reference_of(workable.policy, workable.target)
