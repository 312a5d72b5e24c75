"""Show the loads to Prometheus, and tell when it has taken a page in."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import web

from tests.bed import Bed
from tests.bed.ports import LOOPBACK
from tests.benchmarks.reaction.loads import PAGE, Loads
from tests.benchmarks.reaction.steps import Steps

SCRAPE_INTERVAL: Final = "2s"
_JOB: Final = "agents"
_LOOK_SECONDS: Final = 0.03


class Stage:
    """Serves the page of whichever loads are played, and dates the steps on it."""

    def __init__(self, prometheus_url: str) -> None:
        self.loads = Loads("nobody", ())
        self.steps = Steps()
        self._query = f"{prometheus_url}/api/v1/query"
        self._number = 0
        self._began = time.monotonic()
        self._handed_out = asyncio.Event()
        self._taken_in = asyncio.Condition()
        self._seen = 0

    def play(self, loads: Loads) -> None:
        """Show these loads from now on, as agents that have just started."""
        self.loads, self._began = loads, time.monotonic()

    async def seen(self) -> None:
        """Wait until Prometheus has taken in a page that was rendered after this call."""
        wanted = self._number + 1
        async with self._taken_in:
            await self._taken_in.wait_for(lambda: self._seen >= wanted)

    async def hand_out(self, _: web.Request) -> web.Response:
        """Answer a scrape."""
        self._number += 1
        text = self.loads.page(self._number, time.monotonic() - self._began)
        self.steps.hand_out(self._number)
        self._handed_out.set()
        return web.Response(text=text)

    async def look(self) -> None:
        """Date the pages as Prometheus takes them in, until cancelled."""
        async with aiohttp.ClientSession() as session:
            while True:
                await self._handed_out.wait()
                self._handed_out.clear()
                while self._seen < self._number:
                    await asyncio.sleep(_LOOK_SECONDS)
                    await self._note(await self._known(session), time.monotonic())

    async def _note(self, page: int, now: float) -> None:
        if page > self._seen:
            async with self._taken_in:
                self._seen = page
                self.steps.see(page, now)
                self._taken_in.notify_all()

    async def _known(self, session: aiohttp.ClientSession) -> int:
        async with session.get(self._query, params={"query": PAGE}) as answer:
            result = (await answer.json())["data"]["result"]
            return int(result[0]["value"][1]) if result else 0


@contextlib.asynccontextmanager
async def standing(bed: Bed) -> AsyncIterator[Stage]:
    """Serve the page and have Prometheus scrape it."""
    stage = Stage(bed.prometheus_url)
    app = web.Application()
    app.add_routes([web.get("/metrics", stage.hand_out)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    port = runner.addresses[0][1]
    bed.scrape(_JOB, f"{LOOPBACK}:{port}")
    looking = asyncio.create_task(stage.look())
    try:
        yield stage
    finally:
        looking.cancel()
        bed.unscrape(_JOB)
        await runner.cleanup()
