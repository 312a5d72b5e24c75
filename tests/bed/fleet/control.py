"""The fleet's HTTP door, on the loopback interface: the metrics page, and dials for tests.

GET    /metrics                          what Prometheus scrapes
PUT    /agents                           play an agent (AgentConfig)
PATCH  /agents/{namespace}/{name}        turn its dials (Change)
DELETE /agents/{namespace}/{name}        play it no more
POST   /gauge                            show a custom series (Gauge), value null: no more
POST   /page                             show the page live, frozen or absent (PageChange)
POST   /mark                             let the figures begin now
GET    /figures                          sums and states of all agents
"""

from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import ValidationError

from tests.bed.fleet.config import AgentConfig, Change, Gauge, PageChange
from tests.bed.fleet.page import CONTENT_TYPE
from tests.bed.fleet.playing import Key, Playing

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(playing: Playing) -> web.Application:
    """Make the application."""
    door = Door(playing)
    app = web.Application(middlewares=[say_what_is_wrong])
    app.add_routes(
        [
            web.get("/metrics", door.metrics),
            web.put("/agents", door.put),
            web.patch("/agents/{namespace}/{name}", door.change),
            web.delete("/agents/{namespace}/{name}", door.remove),
            web.post("/gauge", door.gauge),
            web.post("/page", door.page),
            web.post("/mark", door.mark),
            web.get("/figures", door.figures),
        ]
    )
    return app


@web.middleware
async def say_what_is_wrong(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer bad input with a sentence."""
    try:
        return await handler(request)
    except ValidationError as exc:
        raise web.HTTPBadRequest(text=str(exc)) from exc
    except KeyError as exc:
        raise web.HTTPNotFound(text=f"no agent {exc}") from exc


class Door:
    """Handlers: each reads its body and hands it on."""

    def __init__(self, playing: Playing) -> None:
        self._playing = playing

    async def metrics(self, _: web.Request) -> web.Response:
        text = self._playing.page()
        if text is None:
            raise web.HTTPServiceUnavailable
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})

    async def put(self, request: web.Request) -> web.Response:
        self._playing.put(AgentConfig.model_validate_json(await request.read()))
        return web.Response(status=204)

    async def change(self, request: web.Request) -> web.Response:
        change = Change.model_validate_json(await request.read())
        self._playing.change(_key(request), change)
        return web.Response(status=204)

    async def remove(self, request: web.Request) -> web.Response:
        self._playing.remove(_key(request))
        return web.Response(status=204)

    async def gauge(self, request: web.Request) -> web.Response:
        self._playing.set_gauge(Gauge.model_validate_json(await request.read()))
        return web.Response(status=204)

    async def page(self, request: web.Request) -> web.Response:
        self._playing.show(PageChange.model_validate_json(await request.read()).shown)
        return web.Response(status=204)

    async def mark(self, _: web.Request) -> web.Response:
        self._playing.mark()
        return web.Response(status=204)

    async def figures(self, _: web.Request) -> web.Response:
        return web.json_response(self._playing.figures())


def _key(request: web.Request) -> Key:
    return request.match_info["namespace"], request.match_info["name"]
