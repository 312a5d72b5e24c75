"""The operator's own HTTP page: is it alive, is it ready, what does it measure.

Alive is a process whose loop turns and whose passes do not stand still; a standby that waits for
the Lease is alive too. Ready is one that knows the cluster's policies.
"""

from collections.abc import Callable, Collection
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
    metrics: Callable[[Collection[str]], bytes]


def application(probes: Probes) -> web.Application:
    """Give the application with `/livez`, `/readyz` and `/metrics`."""

    async def livez(_request: web.Request) -> web.Response:
        return _answer(probes.alive())

    async def readyz(_request: web.Request) -> web.Response:
        return _answer(probes.ready())

    async def metrics(request: web.Request) -> web.Response:
        page = probes.metrics(request.query.getall("name[]", ()))
        return web.Response(body=page, content_type="text/plain", charset="utf-8")

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
