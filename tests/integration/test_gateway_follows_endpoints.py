"""Discovery against servers: EndpointSlices that change, watches that end, outages, and DNS."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agentscaler.clock import SystemClock
from agentscaler.gateway.api_server import ApiServer, api_server
from agentscaler.gateway.backends import Endpoint
from agentscaler.gateway.discovery import Discovery, DnsDiscovery
from agentscaler.gateway.endpoint_slices import EndpointSlices
from agentscaler.gateway.errors import InvalidConfigError
from agentscaler.gateway.settings import DnsBackends, ServiceBackends
from tests.integration.gateway_world import eventually

PATH = "/apis/discovery.k8s.io/v1/namespaces/agents/endpointslices"


class HurriedClock(SystemClock):
    """Waits a hundredth of what it is told."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 100)


class Slices:
    """As much of an API server as serves the slices of one Service."""

    def __init__(self) -> None:
        self.url = ""
        self.credential = "first"
        self.down = False
        self.lists = 0
        self.asked: list[dict[str, str]] = []
        self._version = 1
        self._slices: dict[str, Any] = {}
        self._watches: list[asyncio.Queue[dict[str, Any] | None]] = []

    def put(self, name: str, *hosts: str, **conditions: bool) -> None:
        """Write a slice and tell the watches."""
        self._version += 1
        known = name in self._slices
        self._slices[name] = {
            "metadata": {"name": name, "resourceVersion": str(self._version)},
            "endpoints": [{"addresses": [host], "conditions": conditions} for host in hosts],
            "ports": [{"name": "http", "port": 8000}],
        }
        self._tell("MODIFIED" if known else "ADDED", self._slices[name])

    def remove(self, name: str) -> None:
        self._version += 1
        self._tell("DELETED", self._slices.pop(name))

    def expire(self) -> None:
        """Say to all watches that their version is too old."""
        self._tell("ERROR", {"kind": "Status", "code": 410})

    def cut(self) -> None:
        """End all watches without a word."""
        for watch in self._watches:
            watch.put_nowait(None)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        if self.down:
            return web.Response(status=500, text="etcd is away")
        if request.headers.get("Authorization") != f"Bearer {self.credential}":
            return web.Response(status=401)
        assert request.path == PATH
        assert request.query["labelSelector"] == "kubernetes.io/service-name=research"
        if "watch" in request.query:
            return await self._watch(request)
        self.lists += 1
        items = list(self._slices.values())
        metadata = {"resourceVersion": str(self._version)}
        return web.json_response({"metadata": metadata, "items": items})

    def _tell(self, kind: str, found: dict[str, Any]) -> None:
        for watch in self._watches:
            watch.put_nowait({"type": kind, "object": found})

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.query["resourceVersion"] == str(self._version)
        news: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._watches.append(news)
        response = web.StreamResponse()
        try:
            await response.prepare(request)
            while (event := await news.get()) is not None:
                await response.write(json.dumps(event).encode() + b"\n")
            await response.write_eof()
        finally:
            self._watches.remove(news)
        return response

    @property
    def watched(self) -> bool:
        return bool(self._watches)


@asynccontextmanager
async def slices_served() -> AsyncIterator[Slices]:
    slices = Slices()
    server = web.Server(slices.handle, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slices.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield slices
    finally:
        await runner.cleanup()


class Seen:
    """What a discovery has told, the newest last."""

    def __init__(self) -> None:
        self.lists: list[list[str]] = []

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        self.lists.append([each.address.partition(":")[0] for each in endpoints])

    async def become(self, *hosts: str) -> None:
        await eventually(lambda: bool(self.lists) and self.lists[-1] == list(hosts))


@asynccontextmanager
async def following(discovery: Discovery) -> AsyncIterator[Seen]:
    seen = Seen()
    task = asyncio.create_task(discovery.follow(seen.update))
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def followed(slices: Slices, folder: Path) -> EndpointSlices:
    token = folder / "token"
    token.write_text(slices.credential, encoding="utf-8")
    settings = ServiceBackends("research", port="http")
    return EndpointSlices(settings, "agents", ApiServer(slices.url, token), HurriedClock())


async def test_endpoints_are_followed_as_they_come_drain_and_go(tmp_path: Path) -> None:
    async with slices_served() as slices:
        slices.put("a", "10.0.0.1")
        async with following(followed(slices, tmp_path)) as seen:
            await seen.become("10.0.0.1")
            await eventually(lambda: slices.watched)
            slices.put("b", "10.0.0.2", "10.0.0.3", ready=True)
            await seen.become("10.0.0.1", "10.0.0.2", "10.0.0.3")
            slices.put("b", "10.0.0.2", ready=False, serving=True, terminating=True)
            await seen.become("10.0.0.1")
            slices.remove("a")
            await seen.become()
            assert slices.lists == 1


async def test_watch_that_ends_or_expires_is_begun_anew_without_losing_a_change(
    tmp_path: Path,
) -> None:
    async with slices_served() as slices:
        slices.put("a", "10.0.0.1")
        async with following(followed(slices, tmp_path)) as seen:
            await eventually(lambda: slices.watched)
            slices.expire()
            slices.put("a", "10.0.0.2")
            await seen.become("10.0.0.2")
            await eventually(lambda: slices.watched)
            slices.cut()
            slices.put("a", "10.0.0.3")
            await seen.become("10.0.0.3")


async def test_last_endpoints_stay_while_the_server_is_down(tmp_path: Path) -> None:
    async with slices_served() as slices:
        slices.put("a", "10.0.0.1")
        async with following(followed(slices, tmp_path)) as seen:
            await eventually(lambda: slices.watched)
            slices.down = True
            slices.cut()
            before = len(slices.asked)
            await eventually(lambda: len(slices.asked) > before + 2)
            assert seen.lists[-1] == ["10.0.0.1"]
            slices.put("a", "10.0.0.2")
            slices.down = False
            await seen.become("10.0.0.2")


async def test_token_is_read_anew_when_it_was_replaced(tmp_path: Path) -> None:
    async with slices_served() as slices:
        slices.put("a", "10.0.0.1")
        async with following(followed(slices, tmp_path)) as seen:
            await eventually(lambda: slices.watched)
            slices.credential = "second"
            (tmp_path / "token").write_text("second", encoding="utf-8")
            slices.put("a", "10.0.0.2")
            slices.cut()
            await seen.become("10.0.0.2")
            await eventually(lambda: slices.watched)


async def test_name_is_resolved_again_and_again_and_nobody_is_an_answer() -> None:
    async with following(DnsDiscovery(DnsBackends("localhost", 8000), HurriedClock())) as seen:
        await eventually(lambda: len(seen.lists) >= 2)
        assert "127.0.0.1" in seen.lists[-1]
    nobody = DnsDiscovery(DnsBackends("nobody.invalid", 8000), HurriedClock())
    assert await nobody._resolve() in ([], None)  # None where no name server is reachable at all


def test_api_server_is_found_as_pods_find_it() -> None:
    assert api_server({"KUBERNETES_API_URL": "http://127.0.0.1:8001/"}).url == (
        "http://127.0.0.1:8001"
    )
    with pytest.raises(InvalidConfigError, match="there is no cluster around"):
        api_server({})
