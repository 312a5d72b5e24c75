"""From a request to its response: find the route, wait for a backend, try it, maybe another."""

import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

from aiohttp import web

from agentscaler import conventions
from agentscaler.gateway import tallies
from agentscaler.gateway.backends import Lease
from agentscaler.gateway.errors import (
    BackendError,
    BrokenConnectionError,
    BusyError,
    SilentBackendError,
    UnreachableError,
)
from agentscaler.gateway.exchanges import Exchange, is_there
from agentscaler.gateway.incoming import Incoming, read_incoming
from agentscaler.gateway.routes import Route, route_for
from agentscaler.gateway.tunnelling import is_websocket, tunnel
from agentscaler.gateway.upstreams import Upstreams

logger = logging.getLogger(__name__)

# At another backend. The HTTP client by itself repeats once what is idempotent, at the same one.
MAX_REPEATS: Final = 1

Answer = tuple[web.StreamResponse, bool]


class Proxy:
    """Serves all routes; `draw` gives numbers in [0, 1) to rules that leave something to chance."""

    def __init__(
        self, routes: Sequence[Route], upstreams: Upstreams, draw: Callable[[], float]
    ) -> None:
        self._routes = routes
        self._upstreams = upstreams
        self._draw = draw

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request; it is counted once, however it ends."""
        route = route_for(self._routes, request.host, request.path)
        if route is None:
            return _refusal(HTTPStatus.NOT_FOUND, "no route leads there")
        route.tally.received += 1
        outcome = tallies.OUTCOME_CANCELLED
        try:
            response, good = await self._serve(route, request)
            outcome = conventions.OUTCOME_OK if good else conventions.OUTCOME_ERROR
        except BusyError as busy:
            outcome = tallies.OUTCOME_REJECTED
            response = _refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(busy))
            response.headers["Retry-After"] = str(route.retry_after_seconds())
        except BackendError as failure:
            if is_there(request):
                outcome = conventions.OUTCOME_ERROR
                logger.warning("%s %s: %s", request.method, request.path, failure)
            response = _refusal(_status_of(failure), "the backend gave no answer")
        finally:
            route.tally.end(outcome)
        return response

    async def _serve(self, route: Route, request: web.BaseRequest) -> Answer:
        """Try backends until one answers or it is no longer safe to try another."""
        incoming = await read_incoming(request, route.settings, self._draw())
        place = route.line.arrive(incoming.priority)
        repeats = 0
        while True:
            with await route.line.turn(place, incoming.routing) as lease:
                waited_seconds = route.clock.monotonic() - place.arrived_at
                try:
                    answer = await self._attempt(route, incoming, lease)
                except UnreachableError:  # nothing was sent: back into line, at the old place
                    route.pool.pause(lease.backend)
                except BrokenConnectionError:
                    route.pool.pause(lease.backend)
                    if not incoming.may_be_repeated or repeats >= MAX_REPEATS:
                        raise
                    repeats += 1
                else:
                    route.tally.begin(waited_seconds)
                    return answer
            route.tally.retried += 1

    async def _attempt(self, route: Route, incoming: Incoming, lease: Lease) -> Answer:
        if is_websocket(incoming.request):
            return await tunnel(incoming.request, lease.backend, self._upstreams)
        exchange = Exchange(incoming, route.pool, lease.backend, route.clock)
        return await exchange.run(self._upstreams, route.settings.timeouts)


def _status_of(failure: BackendError) -> HTTPStatus:
    if isinstance(failure, SilentBackendError):
        return HTTPStatus.GATEWAY_TIMEOUT
    return HTTPStatus.BAD_GATEWAY


def _refusal(status: HTTPStatus, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n")
