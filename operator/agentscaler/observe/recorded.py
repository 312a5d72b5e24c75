"""Read back the load of the past, so that a forecast does not begin from nothing.

Grouped like a pass: agents that share a metric are asked together, in pieces that neither the
server nor this process chokes on. Meant for the background, on connections of its own.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agentscaler.api.policy import Policy
from agentscaler.api.signals import EmptyResult, SignalName
from agentscaler.clock import Clock
from agentscaler.decide.snapshot import Missing
from agentscaler.errors import SourceError
from agentscaler.observe import asks, expressions, presets, timelines
from agentscaler.observe.asks import Custom, Server
from agentscaler.observe.credentials import Credentials
from agentscaler.observe.expressions import Agent
from agentscaler.observe.presets import Exported, Kind, Naming
from agentscaler.observe.prometheus import Caller
from agentscaler.observe.sources import NO_SECRETS, SecretKey, Sources
from agentscaler.observe.tenancy import Tenancy
from agentscaler.observe.timelines import Loads, Timeline

MOST_AGENTS: Final = 40  # names of the usual length then make a selector of 2 KB
_PATIENCE: Final = 30.0  # for one question, in seconds

Row: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Series:
    """Load in slots, step by step from `start` on; NaN where it is not known.

    `times` are the middles of the steps in seconds since the epoch, the same for all series of
    one call.
    """

    start: datetime
    step: timedelta
    times: Loads
    loads: Row


@dataclass(frozen=True, slots=True)
class _Group:
    """A metric of many agents on one server."""

    server: Server
    exported: Exported
    naming: Naming


@dataclass(frozen=True, slots=True)
class _Alone:
    """A query of a user."""

    server: Server
    query: str


_Lane: TypeAlias = tuple[_Group, Agent] | tuple[_Alone, None]
"""Where the past of one signal of one policy is found."""


class Recorder:
    """Reads histories; `deadline` is the longest that one call may take."""

    def __init__(
        self,
        sources: Sources,
        tenancy: Tenancy,
        clock: Clock,
        deadline: timedelta = timedelta(minutes=5),
    ) -> None:
        self._sources = sources
        self._tenancy = tenancy
        self._clock = clock
        self._deadline = deadline

    async def fetch_history(
        self,
        policies: Iterable[Policy],
        *,
        now: datetime,
        span: timedelta,
        step: timedelta,
        secrets: Mapping[SecretKey, Credentials] = NO_SECRETS,
    ) -> dict[str, Series]:
        """Read the load of the `span` before `now`, by the keys of the policies.

        Policies whose history could not be read whole are left out: ask again later. It takes 12
        bytes for each step of each policy, so ask for some hundreds of policies at a time.
        """
        timeline = Timeline.back(now, span, step)
        until = self._clock.monotonic() + self._deadline.total_seconds()
        reading = _Reading(self._sources, timeline, until, secrets)
        found = list(policies)
        lanes = await asyncio.to_thread(_lanes_of, found, self._tenancy)
        await reading.read(lane for each in lanes.values() for lane in each)
        times = timeline.times
        return {
            policy.key: Series(timeline.start, timeline.step, times, loads)
            for policy in found
            if (loads := _load_of(policy, lanes[policy.key], reading.rows)) is not None
        }


class _Reading:
    """One call: the rows that were read so far; a lane that failed has none."""

    def __init__(
        self,
        sources: Sources,
        timeline: Timeline,
        until: float,
        secrets: Mapping[SecretKey, Credentials],
    ) -> None:
        self.rows: dict[_Lane, Row] = {}
        self._sources = sources
        self._timeline = timeline
        self._until = until
        self._secrets = secrets

    async def read(self, lanes: Iterable[_Lane]) -> None:
        """Fill the rows of these lanes."""
        groups: defaultdict[_Group, list[Agent]] = defaultdict(list)
        alone: set[_Alone] = set()
        for origin, agent in dict.fromkeys(lanes):
            if isinstance(origin, _Alone):
                alone.add(origin)
            elif agent is not None:
                groups[origin].append(agent)
        pieces = (
            self._read_group(group, agents[first : first + MOST_AGENTS])
            for group, agents in groups.items()
            for first in range(0, len(agents), MOST_AGENTS)
        )
        await asyncio.gather(*pieces, *(self._read_alone(each) for each in alone))

    async def _read_group(self, group: _Group, agents: Sequence[Agent]) -> None:
        query = expressions.means(group.exported, group.naming, self._timeline.step, agents)
        rows = {agent: self._blank() for agent in agents}

        def read(result: list[Any]) -> None:
            found = timelines.rows_of(result, self._timeline)
            for agent in rows.keys() & found.keys():
                _lay_over(rows[agent], found[agent])

        if await self._ask(group.server, query, len(agents), read):
            self.rows.update(((group, agent), row) for agent, row in rows.items())

    async def _read_alone(self, alone: _Alone) -> None:
        row = self._blank()

        def read(result: list[Any]) -> None:
            _lay_over(row, timelines.row_of(result, self._timeline))

        if await self._ask(alone.server, alone.query, 1, read):
            self.rows[alone, None] = row

    async def _ask(
        self, server: Server, query: str, agents: int, read: Callable[[list[Any]], None]
    ) -> bool:
        """Ask for the whole timeline, span by span; tell whether all of it was read."""
        found = self._sources.find(server, self._secrets)
        if isinstance(found, Missing):
            return False
        prometheus, credentials = found
        caller = Caller(self._until, credentials, _PATIENCE)
        try:
            for span in self._timeline.spans(agents):
                await prometheus.span(query, caller, span, read)
        except SourceError:
            return False
        return True

    def _blank(self) -> Row:
        return self._timeline.gaps().astype(np.float32)


def _lanes_of(policies: Iterable[Policy], tenancy: Tenancy) -> dict[str, list[_Lane]]:
    """Give the lanes of policies by their keys; their queries may take long to read."""
    return {policy.key: _lanes(policy, tenancy) for policy in policies}


def _lanes(policy: Policy, tenancy: Tenancy) -> list[_Lane]:
    """Tell where the requests in service and those waiting are found, in this order.

    Fewer than two lanes: the past of what the policy reads cannot be had.
    """
    server = asks.server_of(policy)
    naming = presets.PRESETS[policy.spec.signals.preset].naming
    lanes: list[_Lane] = []
    for name in (SignalName.ACTIVE_REQUESTS, SignalName.QUEUE_DEPTH):
        origin = asks.origin_of(policy.spec, name)
        match asks.confined(origin, policy.namespace, tenancy):
            case Exported(kind=Kind.GAUGE) as exported:
                lanes.append((_Group(server, exported, naming), asks.agent_of(policy)))
            case Custom(query=query):
                lanes.append((_Alone(server, query), None))
            case _:
                pass  # a metric of another kind, or none
    return lanes


def _load_of(policy: Policy, lanes: Sequence[_Lane], rows: Mapping[_Lane, Row]) -> Row | None:
    if len(lanes) < 2 or any(lane not in rows for lane in lanes):  # noqa: PLR2004 - the two signals
        return None
    active, queued = (
        np.nan_to_num(rows[lane]) if _is_zero_when_empty(policy, name) else rows[lane]
        for lane, name in zip(
            lanes, (SignalName.ACTIVE_REQUESTS, SignalName.QUEUE_DEPTH), strict=True
        )
    )
    return timelines.slots(active, queued)


def _is_zero_when_empty(policy: Policy, name: SignalName) -> bool:
    return asks.signal_of(policy.spec, name).empty_result is EmptyResult.ZERO


def _lay_over(row: Row, part: Loads) -> None:
    """Lay a part of a timeline over a row: each knows its own steps."""
    np.fmax(row, part, out=row, casting="same_kind")
