"""The agents' process: one metrics page for all of them, and the crews' own controller.

    python -m tests.benchmarks.scale.agents --kubeconfig FILE --port PORT

In every quarter of a minute a hundredth of the agents gets another load, enough for another count
of replicas; the readings of all others fluctuate without meaning anything.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from math import sin
from pathlib import Path
from typing import Final

from aiohttp import web

from agentscaler import conventions
from agentscaler.act.calls import Body
from agentscaler.act.client import Api, Limits, connect
from agentscaler.errors import ClusterError
from agentscaler.runtime.metrics import DURATION_BUCKETS, WAIT_BUCKETS
from tests.bed.fleet.__main__ import serve_until_told
from tests.bed.fleet.page import CONTENT_TYPE
from tests.bed.ports import LOOPBACK
from tests.benchmarks.scale.objects import CREWS, name_of, namespace_of

TURN_SECONDS: Final = 15.0
TURNING: Final = 100  # one agent in so many gets another load in each turn
CALM, BUSY = 2.0, 8.0  # requests in service: one replica of four slots, or three
SERVICE_SECONDS: Final = 8.0
_RATE: Final = 0.25  # requests that an agent ends in a second


def active(number: int, seconds: float) -> float:
    """Give the requests that an agent has in service."""
    turns = (int(seconds / TURN_SECONDS) + number) // TURNING
    return (BUSY if turns % 2 else CALM) + 0.2 * sin(number + seconds / 7)


def page(count: int, seconds: float) -> str:
    """Write what all agents export, as the runtime does, with one pod for each."""
    lines: list[str] = []
    for about, kind, write in _FAMILIES:
        lines.append(f"# TYPE {about} {kind}")
        for number in range(count):
            lines += write(number, seconds)
    return "\n".join([*lines, "# EOF\n"])


def _labels(number: int) -> str:
    return f'namespace="{namespace_of(number)}",agent="{name_of(number)}"'


def _active(number: int, seconds: float) -> Iterator[str]:
    yield f"{conventions.ACTIVE_REQUESTS}{{{_labels(number)}}} {active(number, seconds):.3f}"


def _queue(number: int, _seconds: float) -> Iterator[str]:
    yield f"{conventions.QUEUE_DEPTH}{{{_labels(number)}}} 0"


def _received(number: int, seconds: float) -> Iterator[str]:
    yield f"{conventions.REQUESTS_RECEIVED}{{{_labels(number)}}} {seconds * _RATE:.2f}"


def _ended(number: int, seconds: float) -> Iterator[str]:
    yield f'{conventions.REQUESTS_ENDED}{{{_labels(number)},outcome="ok"}} {seconds * _RATE:.2f}'


class _Histogram:
    """Requests of which most are of the usual length."""

    def __init__(self, name: str, bounds: tuple[float, ...], usual: float) -> None:
        self._name, self._usual = name, usual
        self._shares = [
            (bound, 1.0 if usual <= bound else 0.05 * rank) for rank, bound in enumerate(bounds)
        ]

    def __call__(self, number: int, seconds: float) -> Iterator[str]:
        labels, total = _labels(number), round(seconds * _RATE)
        for bound, share in self._shares:
            yield f'{self._name}_bucket{{{labels},le="{bound}"}} {int(total * share)}'
        yield f'{self._name}_bucket{{{labels},le="+Inf"}} {total}'
        yield f"{self._name}_count{{{labels}}} {total}"
        yield f"{self._name}_sum{{{labels}}} {total * self._usual:.1f}"


_FAMILIES = (
    (conventions.ACTIVE_REQUESTS, "gauge", _active),
    (conventions.QUEUE_DEPTH, "gauge", _queue),
    (conventions.REQUESTS_RECEIVED.removesuffix("_total"), "counter", _received),
    (conventions.REQUESTS_ENDED.removesuffix("_total"), "counter", _ended),
    (
        conventions.REQUEST_DURATION,
        "histogram",
        _Histogram(conventions.REQUEST_DURATION, DURATION_BUCKETS, SERVICE_SECONDS),
    ),
    (
        conventions.REQUEST_WAIT,
        "histogram",
        _Histogram(conventions.REQUEST_WAIT, WAIT_BUCKETS, 0.2),
    ),
)


class Agents:
    """How many there are; the page is of as many."""

    def __init__(self) -> None:
        self._count = 0
        self._epoch = time.monotonic() - TURN_SECONDS * TURNING

    def application(self) -> web.Application:
        """Give the application with `/metrics`, and `/count` to be told how many there are."""
        app = web.Application()
        app.router.add_get("/metrics", self._show)
        app.router.add_put("/count", self._set)
        return app

    async def _show(self, _request: web.Request) -> web.Response:
        text = page(self._count, time.monotonic() - self._epoch)
        return web.Response(text=text, headers={"Content-Type": CONTENT_TYPE})

    async def _set(self, request: web.Request) -> web.Response:
        self._count = int(await request.text())
        return web.Response()


async def control(api: Api) -> None:
    """Give every crew the replicas that it asks for, until cancelled."""
    while True:
        try:
            listed = await api.get(CREWS.at())
            async with api.watch(CREWS.at(), listed["metadata"]["resourceVersion"]) as events:
                async for event in events:
                    if event["type"] == "MODIFIED":
                        await _follow(api, event["object"])
        except ClusterError as exc:
            print(f"watching crews again: {exc}", flush=True)


async def _follow(api: Api, crew: Body) -> None:
    wanted = crew["spec"]["replicas"]
    if crew["status"]["readyReplicas"] != wanted:
        metadata = crew["metadata"]
        place = CREWS.at(metadata["namespace"], metadata["name"])
        await api.patch(place, {"status": {"replicas": wanted, "readyReplicas": wanted}})


async def play(kubeconfig: Path, port: int) -> None:
    """Serve the page and follow the crews until a signal to end."""
    api = await connect(kubeconfig, limits=Limits(per_second=1000, burst=1000))
    controlling = asyncio.create_task(control(api))
    try:
        await serve_until_told(Agents().application(), LOOPBACK, port)
    finally:
        controlling.cancel()
        await asyncio.gather(controlling, return_exceptions=True)
        await api.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    asyncio.run(play(given.kubeconfig, given.port))
