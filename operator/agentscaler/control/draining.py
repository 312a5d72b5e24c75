"""Shrink without cutting off work: look at pods when some are to go, and keep track of the chosen.

A chosen pod that stays after all has to be released, or it would never serve again. So the names of
the chosen are on record before the first of them is touched, until the last of them is released.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from agentscaler.act import pods
from agentscaler.act.client import Api
from agentscaler.act.workloads import Target
from agentscaler.api.policy import Policy
from agentscaler.clock import Clock
from agentscaler.control.keyring import Keyring
from agentscaler.control.registry import Entry
from agentscaler.decide.decision import Decision
from agentscaler.decide.draining import UNKNOWN, Retreat, bound_to_go
from agentscaler.decide.snapshot import Missing, Pod, Why
from agentscaler.errors import (
    AgentscalerError,
    ClusterError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
)
from agentscaler.observe.observer import Observer
from agentscaler.observe.pods import PodReading, PodReadings
from agentscaler.report import logs

PodsSeen: TypeAlias = tuple[Pod, ...] | Missing
_PodWork: TypeAlias = Callable[[], Awaitable[None]]

# No pass waits longer for a list of pods: without one, nothing is removed.
_LIST_SECONDS: Final = 5.0
_RELEASE_SECONDS: Final = 2.0
# Rights that are gone come back by somebody's hand, if ever.
_FORBIDDEN_SECONDS: Final = 120.0
# Pods of a large fleet would else take all places of the connection, and growth has to wait.
_PODS_AT_ONCE: Final = 8
_PODS_OF_ONE: Final = 4  # policy
_NO_SERIES: Final = Missing(Why.EMPTY, "no series of the pod")
_LOG: Final = logs.logger("agentscaler.draining")


class _Place(NamedTuple):
    """Where the pods of a target are."""

    namespace: str
    selector: str


class _Chosen(NamedTuple):
    """Whose pods were chosen, by the policy's uid, and the first number if they are numbered."""

    uid: str
    place: _Place
    first_number: int | None


class Drains:
    """Looks at the pods of targets that are to shrink; marks, stamps and releases them."""

    def __init__(self, api: Api, observer: Observer, keyring: Keyring, clock: Clock) -> None:
        self._api = api
        self._observer = observer
        self._keyring = keyring
        self._clock = clock
        self._chosen: dict[str, _Chosen] = {}
        self._left_behind: list[_Place] = []
        self._forbidden_until: dict[_Place, float] = {}
        self._turns = asyncio.Semaphore(_PODS_AT_ONCE)

    async def read(self, policies: Sequence[Policy], now: datetime) -> Mapping[str, PodReadings]:
        """Read what the pods of these policies serve, by the keys of the policies."""
        return await self._observer.observe_pods(policies, now=now, secrets=self._keyring.known)

    async def look(self, policy: Policy, target: Target, readings: PodReadings) -> PodsSeen:
        """Give the pods of a target with what each serves."""
        return _join(await self._list(policy.namespace, target.selector), readings)

    def meet(self, entry: Entry) -> None:
        """Have released what a policy of the same name had chosen, that is gone since."""
        known = self._chosen.get(entry.key)
        if known is not None and known.uid != entry.uid:
            self.forget(entry.key)

    def remember(self, entry: Entry, target: Target) -> None:
        """Keep where the chosen pods of a policy are, as long as it has any."""
        if entry.draining:
            self._turn_to(entry, target)

    async def choose(self, entry: Entry, target: Target, retreat: Retreat) -> None:
        """Mark the pods that are to go and have to end their work first; release all others."""
        place = self._turn_to(entry, target)
        self._left_behind = [each for each in self._left_behind if each != place]
        entry.draining = names(retreat)
        now = self._clock.now()
        await self._each(
            partial(pods.release, self._api, place.namespace, pod) for pod in retreat.spared
        )
        entry.draining = tuple(pod.name for pod in retreat.chosen)
        await self._each(
            partial(pods.mark, self._api, place.namespace, pod, now)
            for pod in retreat.waiting
            if pod.draining_since is None or pod.stamped
        )

    def _turn_to(self, entry: Entry, target: Target) -> _Place:
        """Have what was chosen elsewhere released: by the count of this target none may be."""
        numbered = entry.policy is not None and entry.policy.spec.scale_target_ref.is_numbered
        first = target.first_number if numbered else None
        place = _Place(entry.namespace, target.selector)
        before = self._chosen.get(entry.key)
        if before is not None and before.place != place:
            self._left_behind.append(before.place)
        self._chosen[entry.key] = _Chosen(entry.uid, place, first)
        return place

    async def stamp(self, namespace: str, retreat: Retreat) -> None:
        """Have just these pods removed by the next step down; ConflictError if one is gone."""
        await self._each(partial(self._stamp, namespace, pod) for pod in retreat.leaving)

    async def _stamp(self, namespace: str, pod: Pod) -> None:
        try:
            await pods.stamp(self._api, namespace, pod)
        except NotFoundError as exc:
            raise ConflictError(f"a pod that should go went by itself: {exc}") from exc

    async def release(self, entry: Entry, asked: int | None) -> None:
        """Let all chosen pods of a policy stay, whose target is `asked` for so many.

        What fails, or would be too soon, is tried again at the next pass.
        """
        chosen = self._chosen.get(entry.key)
        if chosen is not None and await self._free(chosen.place, asked, chosen.first_number):
            entry.draining = ()
            del self._chosen[entry.key]

    async def run(self) -> None:
        """Release what was left behind, until cancelled: no pass waits for it."""
        while True:
            await self.release_left_behind()
            await self._clock.sleep(_RELEASE_SECONDS)

    async def release_left_behind(self) -> None:
        """Release the chosen pods of policies that are gone, or turned to another target."""
        now, until = self._clock.monotonic(), self._forbidden_until
        places = [each for each in self._left_behind if now >= until.get(each, 0.0)]
        self._left_behind = [each for each in self._left_behind if now < until.get(each, 0.0)]
        freed = await asyncio.gather(*(self._free(place) for place in places))
        chosen = {each.place for each in self._chosen.values()}  # who chooses releases all others
        self._left_behind += [
            place
            for place, done in zip(places, freed, strict=True)
            if not done and place not in chosen
        ]
        concerned = chosen.union(self._left_behind)
        for place in self._forbidden_until.keys() - concerned:
            del self._forbidden_until[place]

    def forget(self, key: str) -> None:
        """Take note that a policy is gone: its pods are to be released."""
        chosen = self._chosen.pop(key, None)
        if chosen is not None:
            self._left_behind.append(chosen.place)

    async def _free(
        self, place: _Place, asked: int | None = None, first: int | None = None
    ) -> bool:
        """Release the pods that are marked, as far as that may be; tell whether that is done."""
        try:
            done = await self._let_go(place, asked, first)
        except ForbiddenError as exc:
            self._note_forbidden(place, exc)
            return False
        except ClusterError as exc:
            _LOG.warning("pods not released", namespace=place.namespace, error=str(exc))
            return False
        self._forbidden_until.pop(place, None)
        return done

    async def _let_go(self, place: _Place, asked: int | None, first: int | None) -> bool:
        """Release the pods that are marked, but for those bound to go; tell whether none is."""
        if not place.selector:
            return True  # it would find the pods of all others
        async with self._turns:
            found = await pods.list_pods(self._api, place.namespace, place.selector)
        held = () if asked is None else bound_to_go(found, asked, first)
        await self._each(
            partial(pods.release, self._api, place.namespace, pod)
            for pod in found
            if pod.is_chosen and pod not in held
        )
        return not held

    def _note_forbidden(self, place: _Place, why: ForbiddenError) -> None:
        if place not in self._forbidden_until:
            _LOG.warning("pods may not be released", namespace=place.namespace, error=str(why))
        self._forbidden_until[place] = self._clock.monotonic() + _FORBIDDEN_SECONDS

    async def _list(self, namespace: str, selector: str) -> PodsSeen:
        if not selector:
            return Missing(Why.EMPTY, "the target has no selector of pods")
        try:
            async with asyncio.timeout(_LIST_SECONDS):
                return await pods.list_pods(self._api, namespace, selector)
        except TimeoutError:
            return Missing(Why.TIMEOUT, "the pods were not listed in time")
        except ClusterError as exc:
            return Missing(Why.UNAVAILABLE, f"the pods are not listed: {exc}")

    async def _each(self, works: Iterable[_PodWork]) -> None:
        """Do these, a few at a time, up to the first failure; pods that are gone are none.

        More than a few would have the pods of others wait for all of them.
        """
        left, failures = iter(works), list[AgentscalerError]()

        async def go_on() -> None:
            for work in left:
                try:
                    async with self._turns:
                        await work()
                except NotFoundError:
                    pass
                except AgentscalerError as exc:
                    failures.append(exc)
                if failures:
                    return

        await asyncio.gather(*(go_on() for _ in range(_PODS_OF_ONE)))
        if failures:
            raise failures[0]


def is_dark_for_long(entry: Entry, decision: Decision) -> bool:
    """Tell whether the pods have been unknown for as long as a busy one is waited for, or longer.

    Until then the chosen ones are kept out of service; a load that rises needs them.
    """
    known, recorded = entry.policy, entry.status.decision
    if known is None or known.spec.drain is None or recorded is None:
        return False
    dark = decision.reason == recorded.reason == UNKNOWN
    return dark and decision.at - recorded.since >= known.spec.drain.max_wait


def names(retreat: Retreat) -> tuple[str, ...]:
    """Name the pods that are to go, and those that were and are yet to be released."""
    return tuple(pod.name for pod in retreat.chosen + retreat.spared)


def _join(found: PodsSeen, readings: PodReadings) -> PodsSeen:
    if isinstance(found, Missing):
        return found
    if isinstance(readings, Missing):
        return readings
    return tuple(_read(pod, readings) for pod in found)


def _read(pod: Pod, readings: Mapping[str, PodReading]) -> Pod:
    reading = readings.get(pod.name)
    if reading is None:
        return replace(pod, in_flight=_NO_SERIES)
    return replace(pod, in_flight=reading.value, sampled=reading.sampled)
