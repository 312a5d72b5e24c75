"""The situations in which it matters who gets a request, and what each proxy makes of them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.gateway import load, peers
from tests.benchmarks.gateway.agents import SLOTS

SECONDS = 12.0
ROUND_ROBIN = "nginx round robin"
FEWEST = ("nginx least_conn", "HAProxy leastconn")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Agents by their speeds, the share of their slots that the work takes, and sessions."""

    title: str
    speeds: tuple[float, ...]
    utilization: float = 0.75
    sessions: int = 0

    def arrivals(self) -> list[load.Arrival]:
        rate = self.utilization * SLOTS * sum(map(abs, self.speeds)) / load.MEAN_SECONDS
        return load.arrivals(rate, SECONDS, seed=1, sessions=self.sessions)


EQUAL = (1.0,) * 10
SCENARIOS = (
    Scenario("equal pods, 75 % busy", EQUAL),
    Scenario("equal pods, 95 % busy", EQUAL, 0.95),
    Scenario("3 slow, 4 usual, 3 fast pods", (0.4, 0.4, 0.4, 1, 1, 1, 1, 1.5, 1.5, 1.5)),
    Scenario("one of ten fails half", (-1.0, *EQUAL[1:])),
    Scenario("warm sessions", EQUAL, 0.5, sessions=300),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One proxy in one scenario."""

    scenario: str
    proxy: str
    result: load.Result


def proxies(root: Path, scenario: Scenario) -> Mapping[str, peers.Command]:
    """Give the proxies to compare; where there are sessions, also what keeps them."""
    plain = {
        ROUND_ROBIN: peers.nginx(root, ""),
        FEWEST[0]: peers.nginx(root, "least_conn;"),
        FEWEST[1]: peers.haproxy(root, "leastconn"),
        "HAProxy leastconn, tuned": peers.haproxy(root, "leastconn", peers.TUNED),
    }
    if scenario.sessions:
        return plain | {
            "nginx hash": peers.nginx(root, "hash $http_x_session_id consistent;"),
            "HAProxy hash": peers.haproxy(root, "hdr(x-session-id)"),
            "ours, affinity": peers.ours("affinity"),
        }
    return plain | {
        "ours, least-connections": peers.ours("least-connections"),
        "ours, adaptive": peers.ours("adaptive"),
    }


@asynccontextmanager
async def agents_at(speeds: Sequence[float]) -> AsyncIterator[list[int]]:
    """Run agents of these speeds; gives their ports."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.gateway.agents", json.dumps(list(speeds)),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield json.loads(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


async def play(scenario: Scenario, root: Path, folder: Path) -> AsyncIterator[Row]:
    """Give each proxy the same requests."""
    arrivals = scenario.arrivals()
    for number, (name, command) in enumerate(proxies(root, scenario).items()):
        at = folder / f"{scenario.title.replace(' ', '-').replace('%', '')}-{number}"
        async with (
            agents_at(scenario.speeds) as agents,
            peers.running(command, at, agents, root) as port,
        ):
            yield Row(scenario.title, name, await load.apply(port, arrivals))


def missed(rows: Sequence[Row]) -> Iterator[str]:
    """Say where a goal is missed: p99 at most 0.7 of round robin, and never above the fewest."""
    p99 = {row.proxy: row.result.p99_seconds for row in rows}
    ours = list(p99)[-1]
    if p99[ours] > 0.7 * p99[ROUND_ROBIN]:
        yield f"{ours}: p99 is {p99[ours] / p99[ROUND_ROBIN]:.2f} of round robin, not 0.7"
    for name in FEWEST:
        if p99[ours] > 1.05 * p99[name]:  # two runs with equal pods differ by as much
            yield f"{ours}: p99 is {p99[ours] / p99[name]:.2f} of {name}"
