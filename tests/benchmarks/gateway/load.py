"""Open-loop load: requests come when they come, however slow the answers are."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log

import aiohttp

MEAN_SECONDS = 0.2
SIGMA = 1.2  # lognormal: the slowest 1 % take 8 times the mean and more, as agents do
WAIT_TARGET_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a request comes, how long its work takes at an agent of speed 1, and of which session.

    `session` is None where the load has no sessions.
    """

    at: float
    seconds: float
    session: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        named = {} if self.session is None else {"x-session-id": self.session}
        return {"x-seconds": str(self.seconds), **named}


@dataclass(frozen=True, slots=True)
class Result:
    """What came of all requests: a request that failed is answered never, and waits for ever.

    Otherwise a quick failure would be a quick answer.
    """

    responses: tuple[float, ...]
    waits: tuple[float, ...]

    @property
    def p99_seconds(self) -> float:
        return quantile(self.responses, 0.99)

    @property
    def median_seconds(self) -> float:
        return quantile(self.responses, 0.5)

    @property
    def late_ratio(self) -> float:
        """Requests that waited longer than the target or failed, as a ratio."""
        late = sum(wait > WAIT_TARGET_SECONDS for wait in self.waits)
        return late / len(self.waits)

    @property
    def failed_ratio(self) -> float:
        return sum(wait == inf for wait in self.waits) / len(self.waits)


def quantile(values: Sequence[float], share: float) -> float:
    """Give the value that this share of `values` does not exceed."""
    return sorted(values)[int(share * len(values))]


def arrivals(rate: float, seconds: float, *, seed: int, sessions: int = 0) -> list[Arrival]:
    """Draw a Poisson stream with heavy-tailed work; the same for the same seed."""
    drawing = random.Random(seed)  # noqa: S311 - a simulation
    center = log(MEAN_SECONDS) - SIGMA**2 / 2
    drawn: list[Arrival] = []
    at = drawing.expovariate(rate)
    while at < seconds:
        session = f"session-{drawing.randrange(sessions)}" if sessions else None
        drawn.append(Arrival(at, drawing.lognormvariate(center, SIGMA), session))
        at += drawing.expovariate(rate)
    return drawn


async def apply(port: int, load: Sequence[Arrival]) -> Result:
    """Send each request in its time."""
    loop = asyncio.get_running_loop()
    begin = loop.time() + 0.2
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as client:

        async def ask(arrival: Arrival) -> tuple[float, float]:
            await asyncio.sleep(begin + arrival.at - loop.time())
            started = loop.time()
            url = f"http://127.0.0.1:{port}/"
            async with client.get(url, headers=arrival.headers) as answer:
                await answer.read()
                if answer.status >= 500:
                    return inf, inf
                seconds = loop.time() - started
                return seconds, seconds - float(answer.headers["x-worked-seconds"])

        seen = await asyncio.gather(*(ask(each) for each in load))
    responses, waits = zip(*seen, strict=True)
    return Result(responses, waits)


async def latencies(port: int, count: int) -> list[float]:
    """Measure requests one after the other on one connection, in order of size.

    The first tenth is not counted: connections are opened, and code is read.
    """
    loop = asyncio.get_running_loop()
    measured = []
    async with aiohttp.ClientSession() as client:
        for _ in range(count + count // 10):
            started = loop.time()
            async with client.get(f"http://127.0.0.1:{port}/") as answer:
                await answer.read()
            measured.append(loop.time() - started)
    return sorted(measured[count // 10 :])
