"""One measurement: the cold start of a contender over so many agents, then steps of load."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from math import inf
from random import Random
from typing import Final

from agentscaler.act.client import Api
from agentscaler.act.places import Place
from tests.bed import Bed
from tests.benchmarks.reaction import cluster
from tests.benchmarks.reaction.cluster import Document, Following
from tests.benchmarks.reaction.contenders import Contender
from tests.benchmarks.reaction.loads import Loads
from tests.benchmarks.reaction.stage import Stage
from tests.benchmarks.reaction.steps import Steps, percentile

# Steps a second, and for how many seconds, by the polling interval in seconds: some 200 steps.
_PACE: Final = {15: (6, 40), 5: (10, 20), 1: (14, 15)}
_ANSWER_SECONDS: Final = 6.0
_PATIENCE_SECONDS: Final = 60.0
_COLD_SECONDS: Final = 120.0
_HELPED_SECONDS: Final = 240.0
_SETTLING_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Reaction:
    """Seconds from a visible sample to patched replicas; `inf` was not answered in time."""

    interval: int
    steps: int
    unanswered: int
    unasked: int
    p50: float
    p95: float
    p99: float
    reactions: list[float] = field(repr=False)


@dataclass(slots=True)
class Found:
    """What one contender reached at one size; a cold start that did not end took `inf`."""

    contender: str
    size: int
    cold_seconds: float = inf
    cold_evaluated: int = 0
    reactions: list[Reaction] = field(default_factory=list)


def reaction_of(interval: int, steps: Steps) -> Reaction:
    """Sum the steps of a measurement up."""
    seconds = steps.reactions()
    p50, p95, p99 = (percentile(seconds, share) for share in (0.5, 0.95, 0.99))
    lost = seconds.count(inf)
    answered = [round(each, 3) for each in seconds if each != inf]
    return Reaction(interval, len(seconds), lost, steps.unasked, p50, p95, p99, answered)


async def evaluated(api: Api, contender: Contender, namespace: str, found: Found) -> None:
    """Count the objects that were evaluated, until all were."""
    began, done = time.monotonic(), set[str]()
    async for body in _told(api, contender.judged.at(namespace)):
        if contender.is_evaluated(body):
            done.add(body["metadata"]["name"])
            found.cold_evaluated = len(done)
        if len(done) == found.size:
            found.cold_seconds = time.monotonic() - began
            return


async def _told(api: Api, place: Place) -> AsyncIterator[Document]:
    """Give every object, and whatever becomes of it; the server ends a watch at times."""
    while True:
        async with api.watch(place, "0") as events:
            async for event in events:
                if event["type"] in {"ADDED", "MODIFIED"}:
                    yield event["object"]


async def react(stage: Stage, agents: Sequence[str], interval: int) -> Reaction:
    """Raise step after step, and wait for the answers."""
    pace, seconds = _PACE.get(interval, (4, 60))
    # No agent is stepped again before it had the time to answer: its next look may come an interval
    # after the scrape, and what it then asks for takes a while where many are stepped.
    rate = min(pace, len(agents) / (interval + _ANSWER_SECONDS))
    stage.steps = steps = Steps()
    began = time.monotonic()
    for number, agent in zip(range(int(rate * seconds)), _shuffled(agents), strict=False):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        steps.open(agent)
        stage.loads.grow(agent)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(steps.over(), _PATIENCE_SECONDS)
    return reaction_of(interval, steps)


def _shuffled(agents: Sequence[str]) -> Iterator[str]:
    order = list(agents)
    Random(1).shuffle(order)  # noqa: S311 - the same order for every contender
    return cycle(order)


@contextlib.asynccontextmanager
async def following(api: Api, namespace: str, stage: Stage) -> AsyncIterator[None]:
    """Follow the targets of a namespace."""
    task = asyncio.create_task(Following(api, namespace, stage).run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task  # what made it end early is raised here


class Measuring:
    """Takes one contender through one size."""

    def __init__(self, bed: Bed, api: Api, stage: Stage) -> None:
        self._bed = bed
        self._api = api
        self._stage = stage

    async def measure(self, contender: Contender, size: int) -> AsyncIterator[Found]:
        """Give what was found so far, after the cold start and after each interval.

        No step is put to a contender that has not looked at all, even with help.
        """
        namespace = f"{contender.name.split()[0].lower()}-{size}-{time.monotonic_ns() % 10**6}"
        agents = [f"agent-{number}" for number in range(size)]
        found = Found(contender.name, size)
        cluster.prepare(self._bed, namespace)
        await self._populate(contender, namespace, agents)
        await asyncio.to_thread(contender.tune, self._bed, contender.intervals[0])
        cold = asyncio.create_task(evaluated(self._api, contender, namespace, found))
        with await asyncio.to_thread(_entered, contender.running(self._bed)):
            helped = await self._warm(contender, cold, found)
            yield found
            async with following(self._api, namespace, self._stage):
                for interval in contender.intervals:
                    if not await self._turn_to(
                        contender, namespace, agents, interval, helped=helped
                    ):
                        break
                    found.reactions.append(await react(self._stage, agents, interval))
                    yield found
        resources = (contender.resource, contender.judged, cluster.DEPLOYMENTS)
        await cluster.clear(self._bed, self._api, namespace, dict.fromkeys(resources))

    async def _warm(self, contender: Contender, cold: asyncio.Task[None], found: Found) -> bool:
        """Wait for the cold start; tell whether it took too long by itself and was helped."""
        done, _ = await asyncio.wait({cold}, timeout=_COLD_SECONDS)
        if done:
            await cold  # what made it end early is raised here
            return False
        by_itself = found.cold_evaluated
        await asyncio.to_thread(contender.hurry, self._bed)
        await asyncio.wait({cold}, timeout=_HELPED_SECONDS)
        cold.cancel()
        found.cold_seconds, found.cold_evaluated = inf, by_itself
        return True

    async def _populate(self, contender: Contender, namespace: str, agents: Sequence[str]) -> None:
        await cluster.create_targets(self._api, namespace, agents)
        self._stage.play(Loads(namespace, agents))
        await cluster.create(
            self._api,
            contender.resource,
            namespace,
            agents,
            lambda name: contender.document(name, namespace, contender.intervals[0]),
        )
        await self._stage.seen()

    async def _turn_to(
        self,
        contender: Contender,
        namespace: str,
        agents: Sequence[str],
        interval: int,
        *,
        helped: bool,
    ) -> bool:
        """Have all polled in this interval, and let that settle; tell whether that came about."""
        if interval != contender.intervals[0]:
            change = contender.polling(interval)
            await cluster.patch(self._api, contender.resource, namespace, agents, change)
        if helped or interval != contender.intervals[0]:
            await asyncio.to_thread(contender.tune, self._bed, interval)
        again = Found(contender.name, len(agents))
        try:
            async with asyncio.timeout(_HELPED_SECONDS):
                await evaluated(self._api, contender, namespace, again)
        except TimeoutError:
            return False
        await asyncio.sleep(_SETTLING_SECONDS if helped else interval + 1)
        return True


def _entered(context: contextlib.AbstractContextManager[object]) -> contextlib.ExitStack:
    """Enter a context in this thread; the stack ends it."""
    stack = contextlib.ExitStack()
    stack.enter_context(context)
    return stack
