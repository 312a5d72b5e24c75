"""Write what was decided and done: the status, the log, the metrics, the Events."""

import asyncio
from datetime import timedelta
from typing import Any, Final

from agentscaler import conventions
from agentscaler.act.client import Api
from agentscaler.act.events import post_event
from agentscaler.act.policies import read_policy
from agentscaler.act.statuses import patch_status
from agentscaler.api.status import Outcome, PolicyStatus
from agentscaler.clock import Clock
from agentscaler.control.registry import Entry, Registry
from agentscaler.errors import (
    ClusterError,
    ConflictError,
    ForbiddenError,
    LeadershipLostError,
    NotFoundError,
)
from agentscaler.report import events, history, logs, outlines, status
from agentscaler.report.events import Reference
from agentscaler.report.outlines import Outline
from agentscaler.report.recorder import Recorder
from agentscaler.report.telemetry import Telemetry

# A reason that lasted for so many decisions, a minute as a rule, is no noise.
_LASTING: Final = 4
_POSTS: Final = 4  # at once: the others of a connection are for what scales
_POST_SECONDS: Final = 0.5
_POST_PAUSES: Final = (0.0, 0.5, 2.0)  # before each try
# Younger scalings may not have been told; Events live for an hour.
_UNTOLD: Final = timedelta(minutes=5)
_LOG: Final = logs.logger("agentscaler.policies")


class Record:
    """Keeps the statuses in the cluster, and tells what turned."""

    def __init__(
        self,
        registry: Registry,
        api: Api,
        recorder: Recorder,
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._api = api
        self._recorder = recorder
        self._telemetry = telemetry
        self._clock = clock
        self._posting = asyncio.Semaphore(_POSTS)

    def note(self, entry: Entry, outline: Outline) -> bool:
        """Export what was found of a policy; tell whether its status is to be written."""
        before = outlines.of(entry.status)
        self._telemetry.note(entry.namespace, entry.name, outline)
        otherwise = outlines.speaks_otherwise(before, outline)
        entry.otherwise = entry.otherwise + 1 if otherwise else 0
        stale = status.is_stale(entry.key, entry.status.last_update_time, self._clock.now())
        if stale or entry.doubtful or entry.stored is not None:
            return True
        return entry.otherwise >= _LASTING or outlines.is_material(before, outline)

    async def write(
        self,
        entry: Entry,
        following: PolicyStatus,
        target: Reference | None,
        *,
        always: bool = False,
    ) -> None:
        """Write the status if it differs; raise ClusterError if it is not on record after that.

        After a ConflictError the policy is known as it is now. Before a scaling it is written
        `always`: one that was left pending is on record already, and the policy may have changed.
        After a write whose answer was lost, what is on record is read first: if that tells of
        another spec, a ConflictError as well, for what was decided follows the one before.
        """
        if entry.doubtful:
            policy = entry.policy
            await self._read_again(entry)
            if entry.policy is not policy:
                raise ConflictError(f"the spec of {entry.key} changed meanwhile")
        before, stored = entry.status, entry.stored or entry.status
        if always or not status.says_the_same(stored, following):
            await self._patch(entry, status.patch(stored, following))
        elif entry.stored is None:
            return
        entry.status, entry.stored = following, None
        self._tell(entry, before, target)

    async def post_events(self) -> None:
        """Send Events as they may be sent, until cancelled: no pass waits for them."""
        while True:
            await self.post_due_events()
            await self._clock.sleep(_POST_SECONDS)

    async def post_due_events(self) -> None:
        """Send the Events that may be sent now; what a cancellation leaves untold is kept."""
        due = self._recorder.take(self._clock.now())
        self._telemetry.events_waiting.set(len(self._recorder))
        posts = [asyncio.create_task(self._post(event)) for event in due]
        try:
            await asyncio.gather(*posts)
        except asyncio.CancelledError:
            # One that was sent all the same has its name, and is found under it.
            untold = [event for event, post in zip(due, posts, strict=True) if post.cancelled()]
            self._recorder.put_back(untold)
            raise

    async def _post(self, event: dict[str, Any]) -> None:
        trouble = ""
        for pause in _POST_PAUSES:
            await self._clock.sleep(pause)
            try:
                async with self._posting:
                    await post_event(self._api, event)
            except (ForbiddenError, NotFoundError, LeadershipLostError) as exc:
                trouble = str(exc)
                break
            except ClusterError as exc:
                trouble = str(exc)
            else:
                trouble = ""
                break
        if trouble:
            _LOG.warning("event not sent", name=event["metadata"]["name"], error=trouble)
        outcome = "failed" if trouble else "sent"
        self._telemetry.events_sent.labels(outcome=outcome).inc()

    def tell_again(self, entry: Entry, target: Reference | None) -> None:
        """Offer the Events of late scalings: who recorded them may have ended before telling.

        One that was sent is not sent twice, because its name says what it tells.
        """
        since = self._clock.now() - _UNTOLD
        told = tuple(each for each in entry.status.history if each.time < since)
        before = entry.status.model_copy(update={"history": told})
        self._offer(entry, before, target)

    async def _patch(self, entry: Entry, patch: status.Document) -> None:
        outcome = "failed"
        try:
            entry.resource_version = await patch_status(
                self._api, entry.namespace, entry.name, patch, entry.resource_version
            )
            outcome = "written"
        except ConflictError:
            outcome = "conflict"
            await self._read_again(entry)
            raise
        except NotFoundError:
            outcome = "gone"
            self._drop(entry)
            raise
        except BaseException:
            entry.doubtful = True  # an answer that got lost does not tell that nothing was written
            raise
        finally:
            self._telemetry.status_patches.labels(outcome=outcome).inc()

    def _drop(self, entry: Entry) -> None:
        """Forget a policy that is gone, unless the watch has told of a namesake since."""
        if self._registry.find(entry.key) is entry:
            self._registry.drop(entry.key)

    async def _read_again(self, entry: Entry) -> None:
        """Take up the policy as it is now: somebody changed it since the watch told of it."""
        try:
            body = await read_policy(self._api, entry.namespace, entry.name)
        except NotFoundError:
            self._drop(entry)
        else:
            self._registry.note("MODIFIED", body)
            entry.stored, entry.doubtful = status.parse_status(body.get("status")), False

    def _tell(self, entry: Entry, before: PolicyStatus, target: Reference | None) -> None:
        for scaling in history.novelties(before.history, entry.status.history):
            logs.scaling(_LOG, entry.key, scaling)
            if scaling.outcome is Outcome.APPLIED:
                self._telemetry.count_scaling(scaling)
        self._offer(entry, before, target)

    def _offer(self, entry: Entry, before: PolicyStatus, target: Reference | None) -> None:
        now = self._clock.now()
        policy = Reference(
            conventions.API_VERSION, conventions.KIND, entry.namespace, entry.name, entry.uid
        )
        notices = events.between(before, entry.status, policy=policy, target=target, now=now)
        for cause, count in self._recorder.offer(notices, now).items():
            self._telemetry.events_dropped.labels(cause=cause).inc(count)
