"""The operator's own HTTP page: is it alive, is it ready, what does it measure.

Alive is a process whose loop turns and whose passes do not stand still; a standby that waits for
the Lease is alive too. Ready is one that knows the cluster's policies.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from aiohttp import web

from agentscaler.errors import UsageError

Check = Callable[[], str]
"""Gives what is wrong, or nothing."""


@dataclass(frozen=True, slots=True)
class Probes:
    """What the pages answer with; `metrics` takes the names asked for, none for all."""

    alive: Check
    ready: Check
    metrics: Callable[[Collection[str]], Iterable[bytes]]


def application(probes: Probes) -> web.Application:
    """Give the application with `/livez`, `/readyz` and `/metrics`."""

    async def livez(_request: web.Request) -> web.Response:
        return _answer(probes.alive())

    async def readyz(_request: web.Request) -> web.Response:
        return _answer(probes.ready())

    async def metrics(request: web.Request) -> web.StreamResponse:
        """Write part by part: of ten thousand policies the whole page has 7 MB."""
        page = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
        await page.prepare(request)
        for part in probes.metrics(request.query.getall("name[]", ())):
            await page.write(part)
            await asyncio.sleep(0)
        return page

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


async def serve(probes: Probes, host: str, port: int) -> web.AppRunner:
    """Serve the pages until the runner is cleaned up; port 0 takes a free one.

    Raise UsageError if the address cannot be listened on.
    """
    runner = web.AppRunner(application(probes), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as exc:
        await runner.cleanup()
        raise UsageError(f"cannot listen on {host}:{port}: {exc.strerror or exc}") from exc
    return runner


def port_of(runner: web.AppRunner) -> int:
    """Tell on which port the pages are served."""
    port: int = runner.addresses[0][1]
    return port


def _answer(trouble: str) -> web.Response:
    if trouble:
        return web.Response(status=503, text=f"{trouble}\n")
    return web.Response(text="ok\n")
