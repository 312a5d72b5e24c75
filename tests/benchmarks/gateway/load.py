"""Open-loop load: requests come when they come, however slow the answers are."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import aiohttp

MEAN_SECONDS = 0.2
SIGMA = 1.2  # lognormal: the slowest 1 % take 8 times the mean and more, as agents do
WAIT_TARGET_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a request comes, and how long its work takes at an agent of speed 1."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    """What came of all requests; times are those of good answers."""

    responses: tuple[float, ...]
    waits: tuple[float, ...]
    failed_ratio: float

    @property
    def p99_seconds(self) -> float:
        return quantile(self.responses, 0.99)

    @property
    def median_seconds(self) -> float:
        return quantile(self.responses, 0.5)

    @property
    def late_ratio(self) -> float:
        """Requests that waited longer than the target, as a ratio."""
        late = sum(wait > WAIT_TARGET_SECONDS for wait in self.waits)
        return late / len(self.waits)


def quantile(values: Sequence[float], share: float) -> float:
    """Give the value that this share of `values` does not exceed."""
    return sorted(values)[int(share * len(values))]


def arrivals(rate: float, seconds: float, seed: int) -> list[Arrival]:
    """Draw a Poisson stream with heavy-tailed work; the same for the same seed."""
    drawing = random.Random(seed)  # noqa: S311 - a simulation
    center = log(MEAN_SECONDS) - SIGMA**2 / 2
    drawn: list[Arrival] = []
    at = drawing.expovariate(rate)
    while at < seconds:
        drawn.append(Arrival(at, drawing.lognormvariate(center, SIGMA)))
        at += drawing.expovariate(rate)
    return drawn


async def apply(port: int, load: Sequence[Arrival]) -> Result:
    """Send each request in its time."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + 0.2
    responses: list[float] = []
    waits: list[float] = []
    failed = 0
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as client:

        async def ask(arrival: Arrival) -> None:
            nonlocal failed
            await asyncio.sleep(begin + arrival.at - loop.time())
            started = loop.time()
            headers = {"x-seconds": str(arrival.seconds)}
            async with client.get(f"http://127.0.0.1:{port}/", headers=headers) as answer:
                await answer.read()
                seconds = loop.time() - started
                if answer.status >= 500:  # a quick failure is no quick answer
                    failed += 1
                    return
                responses.append(seconds)
                waits.append(seconds - float(answer.headers["x-worked-seconds"]))

        await asyncio.gather(*(ask(each) for each in load))
    return Result(tuple(responses), tuple(waits), failed / len(load))


async def latencies(port: int, count: int) -> list[float]:
    """Measure requests one after the other on one connection, in order of size."""
    loop = asyncio.get_running_loop()
    measured = []
    async with aiohttp.ClientSession() as client:
        for _ in range(count):
            started = loop.time()
            async with client.get(f"http://127.0.0.1:{port}/") as answer:
                await answer.read()
            measured.append(loop.time() - started)
    return sorted(measured)
