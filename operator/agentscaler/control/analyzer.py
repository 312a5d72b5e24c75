"""Judge once a minute what holds the agents back, beside the passes; the next pass writes it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from agentscaler.api.policy import Policy
from agentscaler.api.status import Bottleneck, BottleneckStatus
from agentscaler.clock import Clock
from agentscaler.control import diagnosing
from agentscaler.control.registry import Entry, Registry
from agentscaler.decide.snapshot import Reading
from agentscaler.errors import SourceError
from agentscaler.observe import asks
from agentscaler.observe.expressions import Agent
from agentscaler.observe.profiles import Profile
from agentscaler.report import logs

_PAUSE_SECONDS: Final = 60.0
_LOG: Final = logs.logger("agentscaler.analyzer")

# A whole cluster of stuck agents must not use up the requests that the passes need.
_MOST_LOOKS: Final = 50

Profiles = Callable[[], Awaitable[Mapping[Agent, Profile]]]
"""Where the time of all agents goes; may raise SourceError."""


Unscheduled = Callable[[Policy], Awaitable[Reading]]
"""How many pods of a policy's target no node takes; never raises."""

Pause = Callable[[], Awaitable[None]]
"""Waits until nothing more urgent is done, a turn of the loop at least."""


async def _turn() -> None:
    await asyncio.sleep(0)


class Analyzer:
    """Keeps the bottleneck of every policy that the passes look at; it never asks for replicas."""

    def __init__(
        self,
        registry: Registry,
        profiles: Profiles,
        unscheduled: Unscheduled,
        clock: Clock,
        pause: Pause = _turn,
    ) -> None:
        self._registry = registry
        self._profiles = profiles
        self._unscheduled = unscheduled
        self._looks = 0
        self._clock = clock
        self._pause = pause

    async def run(self) -> None:
        """Judge all policies, minute after minute, until cancelled; failures are only logged."""
        while True:
            await self._clock.sleep(_PAUSE_SECONDS)
            try:
                await self.judge()
            except SourceError as exc:
                _LOG.warning("bottlenecks not judged", error=str(exc))
            except Exception as exc:  # noqa: BLE001 - a defect here must not end the scaling
                _LOG.error("bottlenecks not judged", exc_info=exc)

    async def judge(self) -> None:
        """Judge every policy by its newest readings; raise SourceError."""
        await self._pause()
        if all(entry.readings is None for entry in self._registry):
            return
        found = await self._profiles()
        self._looks = 0
        for entry in self._registry:
            await self._judge(entry, found)
            await self._pause()  # of ten thousand, no probe and no pass waits for all

    async def _judge(self, entry: Entry, found: Mapping[Agent, Profile]) -> None:
        policy, readings = entry.policy, entry.readings
        if policy is None or readings is None or policy.spec.prometheus.server_address:
            _take_up(entry, None)
            return
        profile = found.get(asks.agent_of(policy), Profile())
        situation = diagnosing.situation_of(
            policy, entry.status, readings, profile, self._clock.now()
        )
        if situation.is_stuck and self._looks < _MOST_LOOKS:
            self._looks += 1
            situation = replace(situation, unscheduled=await self._unscheduled(policy))
            if entry.policy is not policy:  # it changed while the pods were listed
                return
        _take_up(entry, diagnosing.bottleneck_of(situation))


def _take_up(entry: Entry, found: BottleneckStatus | None) -> None:
    """Keep what was found; that replicas lack only if the look before, at older readings, did too.

    As a rule the next pass adds them: told at once, each growth would be two writes and two Events.
    """
    before, entry.lacked = entry.lacked, entry.readings if _is_lack(found) else None
    is_news = not _is_lack(entry.bottleneck) and (before is None or before is entry.lacked)
    if not _is_lack(found) or not is_news:
        entry.bottleneck = found


def _is_lack(found: BottleneckStatus | None) -> bool:
    return found is not None and found.verdict == Bottleneck.REPLICAS
