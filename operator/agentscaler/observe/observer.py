"""See all policies that are due, in one pass over their metrics servers.

What a pass costs does not grow with the number of policies that use the default metrics. Servers
are asked side by side and each fails alone.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, TypeAlias

from agentscaler.api.policy import Policy
from agentscaler.clock import Clock
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe import asks, readings
from agentscaler.observe.asks import Plan, Server, Wants
from agentscaler.observe.credentials import Credentials
from agentscaler.observe.inquiry import Inquiry
from agentscaler.observe.pods import PodReadings, read_pods
from agentscaler.observe.prometheus import Caller
from agentscaler.observe.questions import Questions
from agentscaler.observe.rations import ration
from agentscaler.observe.readings import Answers, Readings
from agentscaler.observe.sources import NO_SECRETS, Group, SecretKey, Settings, Sources
from agentscaler.observe.unions import Suspects

logger: Final = logging.getLogger(__name__)

Wanted: TypeAlias = Mapping[str, Wants]
"""What policies want to know, by their keys."""


class _Planned(NamedTuple):
    """What was wanted, what of it is granted, and what is asked of each server for it."""

    wanted: Wanted
    rationed: Wanted
    plans: Mapping[Server, Plan]


@dataclass(frozen=True, slots=True)
class Observation:
    """What one pass saw, by the keys of the policies, and what it took to see it.

    `queries` counts what was sent to all servers since the last observation.
    """

    readings: Mapping[str, Readings]
    queries: int


class Observer:
    """Reads the metrics of policies, pass by pass."""

    def __init__(self, sources: Sources, settings: Settings, clock: Clock) -> None:
        self._sources = sources
        self._settings = settings
        self._clock = clock
        self._questions = Questions(settings.window, settings.tenancy, clock)
        self._suspects: dict[Server, Suspects] = {}
        self._plans: dict[Group, _Planned] = {}
        self._counted = 0

    async def observe(
        self,
        policies: Iterable[Policy],
        *,
        now: datetime,
        secrets: Mapping[SecretKey, Credentials] = NO_SECRETS,
        at_most: timedelta | None = None,
    ) -> Observation:
        """Read everything that these policies want to know, as of `now`.

        Never raise for what a server does: readings that cannot be had are Missing. End within the
        deadline of the settings, and `at_most` so much later where queries are new: policies whose
        queries cannot be read by then have no readings.
        """
        wanted, plans = self._planned(await self._questions.of(policies, at_most))
        until = self._clock.monotonic() + self._settings.deadline.total_seconds()
        passes = (
            self._ask_alone(server, plan, until=until, now=now, secrets=secrets)
            for server, plan in plans.items()
        )
        answers = dict(zip(plans, await asyncio.gather(*passes), strict=True))
        return Observation(
            readings=dict(_joined(wanted, answers)),
            queries=self._newly_asked(),
        )

    async def observe_pods(
        self,
        policies: Sequence[Policy],
        *,
        now: datetime,
        secrets: Mapping[SecretKey, Credentials] = NO_SECRETS,
    ) -> Mapping[str, PodReadings]:
        """Read what each pod of these policies serves; see `observe` for what may go wrong."""
        until = self._clock.monotonic() + self._settings.deadline.total_seconds()
        return await read_pods(self._sources, policies, until=until, now=now, secrets=secrets)

    def group(self, policy: Policy) -> Group:
        """Tell with whom a policy is observed: those of another group need not wait for it."""
        return self._sources.group(asks.server_of(policy))

    def forget(self, key: str) -> None:
        """Drop what is kept of a policy that is gone."""
        self._questions.forget(key)

    async def _ask_alone(self, server: Server, plan: Plan, **how: Any) -> Answers | Missing:
        try:
            return await self._ask(server, plan, **how)
        except Exception as exc:
            logger.exception("a server of metrics could not be asked")
            return Missing(Why.UNAVAILABLE, f"it could not be asked: {exc}")

    async def _ask(
        self,
        server: Server,
        plan: Plan,
        *,
        until: float,
        now: datetime,
        secrets: Mapping[SecretKey, Credentials],
    ) -> Answers | Missing:
        found = self._sources.find(server, secrets)
        if isinstance(found, Missing):
            return found
        prometheus, credentials = found
        suspects = self._suspects.setdefault(server, Suspects())
        return await Inquiry(prometheus, Caller(until, credentials), now, suspects).put(plan)

    def _planned(self, wanted: Wanted) -> tuple[Wanted, Mapping[Server, Plan]]:
        """Say what is asked, and whom: worked out anew only if somebody wants something else."""
        if not wanted:
            return {}, {}
        group = self._sources.group(next(iter(wanted.values())).server)
        known = self._plans.get(group)
        if known is None or known.wanted != wanted:
            rationed = ration(wanted)
            known = _Planned(wanted, rationed, asks.plan(rationed.values()))
            self._plans[group] = known
        return known.rationed, known.plans

    def _newly_asked(self) -> int:
        asked = sum(prometheus.asked for prometheus in self._sources.opened())
        since, self._counted = self._counted, asked
        return asked - since


def _joined(
    wanted: Wanted, answers: Mapping[Server, Answers | Missing]
) -> Iterator[tuple[str, Readings]]:
    for key, wants in wanted.items():
        try:
            yield key, _join(wants, answers[wants.server])
        except Exception:
            logger.exception("answers for %s not understood", key)


def _join(wants: Wants, answers: Answers | Missing) -> Readings:
    if isinstance(answers, Missing):
        return readings.without_source(wants, answers)
    return readings.join(wants, answers)
