"""The one loop of the operator: whoever is due goes through a pass, from here to the end."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from agentscaler.act.places import TargetKey
from agentscaler.act.targets import Targets
from agentscaler.act.workloads import Target
from agentscaler.clock import Clock
from agentscaler.control.cycle import Cycle
from agentscaler.control.draining import Drains
from agentscaler.control.forecasts import Forecasts
from agentscaler.control.proceeding import Works
from agentscaler.control.recording import Record
from agentscaler.control.registry import Entry, Registry
from agentscaler.control.schedule import Schedule
from agentscaler.errors import ClusterError
from agentscaler.observe.observer import Observer
from agentscaler.report.telemetry import Telemetry

# New and changed policies that come together, as by one `kubectl apply`, share a pass.
_GATHER_SECONDS: Final = 0.2
# After a conflict the watch needs a moment to tell what changed.
_AGAIN_SECONDS: Final = 0.5
# How long a pass may go on once it is time to stop: the standby is to lead within two seconds.
_LAST_SECONDS: Final = 1.0
_UNREADABLE: Final = timedelta(seconds=15)
# With nothing to do, the loop turns so often to show that it is alive.
_LONGEST_SECONDS: Final = 1.0


class Loop:
    """Hears of changes at any time; takes passes only while `run` runs, which is while leading."""

    def __init__(
        self, registry: Registry, schedule: Schedule, telemetry: Telemetry, clock: Clock
    ) -> None:
        self._registry = registry
        self._schedule = schedule
        self._telemetry = telemetry
        self._clock = clock
        self._changed = asyncio.Event()
        self._resting = asyncio.Event()
        self._resting.set()
        self.turned_at = clock.monotonic()
        self.first_pass_ended = asyncio.Event()

    def note(self, change: str | None, body: Mapping[str, Any]) -> None:
        """Take in what the watch of policies says."""
        self.look_at(self._registry.note(change, body))

    def look_at(self, keys: set[str]) -> None:
        """Have these policies looked at soon."""
        now = self._clock.monotonic()
        for key in keys:
            self._schedule.at_once(key, now + _GATHER_SECONDS)
        if keys:
            self._changed.set()

    def note_target(self, target: TargetKey, targets: Targets) -> None:
        """Measure starts as the watch tells of them; wake policies that waited for their target."""
        for entry in self._registry.on_target(target):
            found = _find(entry, targets)
            if found is not None:
                entry.lead_time.seen(found.replicas, found.ready, self._clock.now())
            if found is None or entry.status.current_replicas is None:
                self.look_at({entry.key})

    def note_rival(self, target: TargetKey) -> None:
        """Have the policies on a workload looked at: another autoscaler came or went."""
        self.look_at({entry.key for entry in self._registry.on_target(target)})

    async def between_passes(self) -> None:
        """Wait while a pass goes on, a turn at least: what is less urgent must not slow it down."""
        await asyncio.sleep(0)
        await self._resting.wait()

    def hold(self, entry: Entry) -> None:
        """Leave a policy out of the passes: something is being done for it."""
        self._schedule.hold(entry.key)

    def release(self, entry: Entry, again: bool) -> None:
        """Take a policy into the passes again, right away if that is wanted."""
        if again:
            self._schedule.at_once(entry.key, self._clock.monotonic() + _AGAIN_SECONDS)
        self._schedule.release(entry.key)

    async def run(self, rounds: "Rounds", stop: asyncio.Event) -> None:
        """Take pass after pass until told to stop; what has begun gets a moment to end.

        What was recorded and not carried out by then is found by whoever leads next.
        """
        turning = asyncio.ensure_future(self._turn(rounds, stop))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({turning, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({turning}, timeout=_LAST_SECONDS)
        finally:
            stopping.cancel()
            turning.cancel()
            await asyncio.gather(turning, return_exceptions=True)
        if not turning.cancelled():
            turning.result()

    async def _turn(self, rounds: "Rounds", stop: asyncio.Event) -> None:
        for entry in self._registry:
            self._schedule.at_once(entry.key, self._clock.monotonic())
        try:
            while not stop.is_set():
                now = self._clock.monotonic()
                late = now - (self._schedule.next_due() or now)
                due = self._schedule.take_due(now)
                self.turned_at = now
                self._telemetry.loop_lag.set(max(0.0, late))
                if due:
                    self._resting.clear()
                    await self._pass(rounds, due, self._schedule.take_held(now), now)
                    self._resting.set()
                rounds.works.check()
                await self._pause(stop)
            await rounds.works.ended()
        finally:
            await rounds.cycle.parties.cancel()
            await rounds.works.cancel()

    async def _pass(self, rounds: "Rounds", due: list[str], busy: list[str], began: float) -> None:
        """Decide for all that are due; what follows from it is done beside the next passes."""
        rounds.works.withdraw(due)
        await rounds.targets.follow(self._registry.kinds())
        entries, others = self._known(due), self._known(busy)
        for key in set(due) - {entry.key for entry in entries}:
            rounds.forget(key)
        for key in set(busy) - {entry.key for entry in others}:
            self._schedule.at_once(key, began)  # to be forgotten when what is under way has ended
        await rounds.cycle.run(entries, others)
        now = self._clock.monotonic()
        self._telemetry.pass_duration.observe(now - began)
        for entry in entries + others:
            interval = entry.policy.spec.polling_interval if entry.policy else _UNREADABLE
            self._schedule.after(entry.key, interval.total_seconds(), now)
        self.first_pass_ended.set()

    def _known(self, keys: list[str]) -> list[Entry]:
        return [entry for key in keys if (entry := self._registry.find(key))]

    async def _pause(self, stop: asyncio.Event) -> None:
        """Wait until somebody is due, something changed, or it is time to stop."""
        due = self._schedule.next_due()
        wait = _LONGEST_SECONDS if due is None else max(0.0, due - self._clock.monotonic())
        waiting = [
            asyncio.ensure_future(self._changed.wait()),
            asyncio.ensure_future(stop.wait()),
        ]
        try:
            await asyncio.wait(
                waiting, timeout=min(wait, _LONGEST_SECONDS), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for each in waiting:
                each.cancel()
        self._changed.clear()


def _find(entry: Entry, targets: Targets) -> Target | None:
    if entry.policy is None:
        return None
    try:
        return targets.find(entry.namespace, entry.policy.spec.scale_target_ref)
    except ClusterError:
        return None


@dataclass(frozen=True, slots=True)
class Rounds:
    """What the passes of one leadership work with."""

    cycle: Cycle
    works: Works
    record: Record
    targets: Targets
    forecasts: Forecasts
    observer: Observer
    telemetry: Telemetry
    drains: Drains

    def forget(self, key: str) -> None:
        """Drop all that is kept of a policy that is gone; its target stays as it is."""
        namespace, _, name = key.partition("/")
        self.forecasts.forget(key)
        self.observer.forget(key)
        self.drains.forget(key)
        self.telemetry.forget(namespace, name)
