"""The gateway as a whole: joins its parts, listens, and leaves without dropping requests."""

import asyncio
import logging
import random
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry

from agentscaler.clock import Clock
from agentscaler.gateway.admin import Admin
from agentscaler.gateway.api_server import api_server
from agentscaler.gateway.backends import Endpoint
from agentscaler.gateway.discovery import Discovery, DnsDiscovery, StaticDiscovery
from agentscaler.gateway.endpoint_slices import EndpointSlices
from agentscaler.gateway.errors import InvalidConfigError
from agentscaler.gateway.health import HealthChecks
from agentscaler.gateway.metrics import GatewayCollector
from agentscaler.gateway.proxy import Proxy
from agentscaler.gateway.routes import Route
from agentscaler.gateway.settings import (
    Address,
    DnsBackends,
    GatewaySettings,
    ServiceBackends,
    Source,
    StaticBackends,
)
from agentscaler.gateway.upstreams import MAX_HEADER_BYTES, Upstreams
from agentscaler.gateway.waking import Waking, policy_path

logger = logging.getLogger(__name__)

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Gateway:
    """A running gateway, as an asynchronous context manager."""

    def __init__(self, settings: GatewaySettings, clock: Clock, environ: Mapping[str, str]) -> None:
        self.routes = [Route(each, clock) for each in settings.routes]
        self._settings = settings
        self._clock = clock
        self._environ = environ
        self._namespace = environ.get("POD_NAMESPACE", "default")
        self._draining = False
        self._open = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._traffic: web.BaseSite | None = None
        self.port = 0
        self.admin_port = 0

    @property
    def is_ready(self) -> bool:
        """Tell whether every route knows its backends, be they none, and we are not leaving."""
        return not self._draining and all(route.pool.is_told for route in self.routes)

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    async def drain(self) -> None:
        """Not ready at once; serve what still arrives for a while; then take nothing more."""
        self._draining = True
        logger.info("draining: not ready from now on")
        await self._clock.sleep(self._settings.drain_delay_seconds)
        if self._traffic is not None:
            await self._traffic.stop()

    async def _start(self) -> None:
        """Start in the order in which everything is needed; it ends the other way round."""
        upstreams = await self._open.enter_async_context(Upstreams())
        self._open.push_async_callback(self._stop_following)
        proxy = Proxy(self.routes, upstreams, random.random)
        registry = CollectorRegistry()
        registry.register(
            GatewayCollector(
                self.routes,
                namespace=self._namespace,
                pod=self._environ.get("POD_NAME") or socket.gethostname(),
                exports=self._settings.exports,
            )
        )
        admin = Admin(registry, lambda: self.is_ready)
        _, self.admin_port = await self._listen("admin", admin.handle, self._settings.admin)
        handle = self._leaving_politely(proxy.handle)
        self._traffic, self.port = await self._listen("listen", handle, self._settings.listen)
        for route in self.routes:
            self._follow(route)

    def _leaving_politely(self, handle: Handle) -> Handle:
        """Keep no connection while draining: its next request could meet our end."""

        async def handled(request: web.BaseRequest) -> web.StreamResponse:
            response = await handle(request)
            if self._draining:
                response.force_close()
            return response

        return handled

    async def _stop_following(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(
        self, name: str, handle: Handle, address: Address
    ) -> tuple[web.BaseSite, int]:
        """Listen as the field `name` says; give what listens, and the port (0 asks for any)."""
        # Cancelled with the client's connection, so that the backend learns of it at once.
        server = web.Server(
            handle,
            handler_cancellation=True,
            access_log=None,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        runner = web.ServerRunner(server, shutdown_timeout=self._settings.drain_limit_seconds)
        await runner.setup()
        self._open.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, address.host, address.port)
        try:
            await site.start()
        except OSError as exc:
            why = str(exc).rpartition(": ")[2]
            raise InvalidConfigError(
                f"{name}: cannot listen on {address.host}:{address.port}: {why}; "
                "name another address or port"
            ) from exc
        return site, int(runner.addresses[0][1])

    def _follow(self, route: Route) -> None:
        """Keep the route's backends up to date, and checked."""

        def update(endpoints: Sequence[Endpoint]) -> None:
            route.pool.update(endpoints)
            route.line.on_wait()

        discovery = self._discovery(route.settings.source)
        waking = self._waking(route)
        checks = HealthChecks(route.pool, route.settings.health, self._clock)
        works = [discovery.follow(update), checks.run()]
        if waking is not None:
            route.line.on_wait = waking.look
            works.append(waking.run(route.pool, route.line))
        for work in works:
            self._tasks.append(asyncio.create_task(work, name=f"gateway-{route.settings.agent}"))

    def _waking(self, route: Route) -> Waking | None:
        wake = route.settings.wake
        if wake is None:
            return None
        namespace = wake.namespace or self._namespace
        path = policy_path(namespace, wake.policy)
        return Waking(path, api_server(self._environ), self._clock)

    def _discovery(self, source: Source) -> Discovery:
        match source:
            case StaticBackends():
                return StaticDiscovery(source)
            case DnsBackends():
                return DnsDiscovery(source, self._clock)
            case ServiceBackends():
                namespace = source.namespace or self._namespace
                server = api_server(self._environ)
                return EndpointSlices(source, namespace, server, self._clock)
