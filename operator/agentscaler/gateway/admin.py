"""What the cluster asks of a gateway, on a port of its own: alive, ready, metrics."""

from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


class Admin:
    """Answers about this gateway."""

    def __init__(self, registry: CollectorRegistry, is_ready: Callable[[], bool]) -> None:
        self._registry = registry
        self._is_ready = is_ready

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        match request.path:
            case "/livez":
                return web.Response(text="ok\n")
            case "/readyz":
                return self._ready()
            case "/metrics":
                return self._metrics(request)
            case _:
                return web.Response(status=HTTPStatus.NOT_FOUND, text="not here\n")

    def _ready(self) -> web.Response:
        if self._is_ready():
            return web.Response(text="ready\n")
        return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, text="not ready\n")

    def _metrics(self, request: web.BaseRequest) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})
