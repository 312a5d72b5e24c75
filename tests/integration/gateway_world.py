"""Agents that answer over real HTTP, and a gateway in front of them, all in this process."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from agentscaler.clock import SystemClock
from agentscaler.gateway import config
from agentscaler.gateway.server import Gateway

ENVIRON = {"POD_NAMESPACE": "agents", "POD_NAME": "gateway-0"}
LABELS = 'namespace="agents",agent="research",pod="gateway-0"'


class Agent:
    """One agent pod; tells what it saw."""

    def __init__(self, name: str, load_report: str | None = None) -> None:
        self.name = name
        self.address = ""
        self.load_report = load_report
        self.seen: list[web.BaseRequest] = []
        self.done: list[str] = []
        self.cancelled = 0
        self.go_on = asyncio.Event()
        self._runner: web.ServerRunner | None = None

    async def start(self, port: int = 0) -> None:
        server = web.Server(
            self._handle,
            handler_cancellation=True,
            access_log=None,
            max_line_size=2**16,
            max_field_size=2**16,
        )
        self._runner = web.ServerRunner(server, shutdown_timeout=5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.address = f"{host}:{bound}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append(request)
        work = getattr(self, f"_{request.path.strip('/').replace('/', '_') or 'root'}")
        try:
            response: web.StreamResponse = await work(request)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.done.append(request.headers.get("x-id", ""))
        return response

    def _answer(self, **more: Any) -> web.Response:
        headers = {"Endpoint-Load-Metrics": self.load_report} if self.load_report else {}
        return web.Response(headers={"X-Agent": self.name, **headers}, **more)

    async def _root(self, request: web.BaseRequest) -> web.StreamResponse:
        return self._answer(text=f"{self.name} answers")

    async def _work(self, request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(float(request.query.get("seconds", 0)))
        return self._answer(text="done")

    async def _held(self, request: web.BaseRequest) -> web.StreamResponse:
        await self.go_on.wait()
        return self._answer(text="done")

    async def _broken(self, request: web.BaseRequest) -> web.StreamResponse:
        return self._answer(status=500, text="broken")

    async def _ready(self, request: web.BaseRequest) -> web.StreamResponse:
        return self._answer(status=200 if self.go_on.is_set() else 503)

    async def _count(self, request: web.BaseRequest) -> web.StreamResponse:
        total = 0
        async for piece in request.content.iter_any():
            total += len(piece)
        return self._answer(text=str(total))

    async def _big(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(int(request.query["mebibytes"])):
            await response.write(bytes(2**20))
        await response.write_eof()
        return response

    async def _tokens(self, request: web.BaseRequest) -> web.StreamResponse:
        """Send one token, then wait to be let go before the second."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: one\n\n")
        await self.go_on.wait()
        await response.write(b"data: two\n\n")
        await response.write_eof()
        return response

    async def _v1_chat_completions(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as OpenAI's API does, one word per event."""
        assert json.loads(await request.read())["stream"] is True
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number, word in enumerate(("token", " by", " token")):
            choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
            event = {
                "id": "1", "object": "chat.completion.chunk", "created": 1, "model": "stub",
                "choices": [choice],
            }  # fmt: skip
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
            if number == 0:
                await self.go_on.wait()
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def _half(self, request: web.BaseRequest) -> web.StreamResponse:
        """Promise a hundred bytes, send four, die."""
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        return self._die(request)

    async def _dies(self, request: web.BaseRequest) -> web.StreamResponse:
        return self._die(request)

    def _die(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        raise asyncio.CancelledError

    async def _chat(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("authorization") == "Bearer wrong":
            return self._answer(status=403, text="not you")
        socket = web.WebSocketResponse(protocols=["agent.v1"])
        await socket.prepare(request)
        async for message in socket:
            if message.data == "bye":
                await socket.close(code=4001, message=b"as you wish")
            elif message.type is aiohttp.WSMsgType.BINARY:
                await socket.send_bytes(message.data)
            else:
                await socket.send_str(f"{self.name}: {message.data}")
        return socket


class World:
    """A gateway in front of agents, with a client."""

    def __init__(self, gateway: Gateway, client: aiohttp.ClientSession) -> None:
        self.gateway = gateway
        self.client = client
        self.url = f"http://127.0.0.1:{gateway.port}"
        self.admin = f"http://127.0.0.1:{gateway.admin_port}"

    @property
    def route(self) -> Any:
        return self.gateway.routes[0]

    async def get(self, path: str, **more: Any) -> tuple[int, str]:
        async with self.client.get(URL(self.url + path, encoded=True), **more) as answer:
            return answer.status, await answer.text()

    async def agent_of(self, path: str = "/", **more: Any) -> str:
        async with self.client.get(self.url + path, **more) as answer:
            await answer.read()
            return answer.headers["X-Agent"]

    async def metric(self, name: str, more: str = "") -> float:
        async with self.client.get(self.admin + "/metrics") as answer:
            page = await answer.text()
        found = re.search(rf"^{name}\{{[^}}]*{more}[^}}]*\}} (\S+)$", page, re.MULTILINE)
        assert found is not None, f"{name} is not exported"
        return float(found[1])


async def eventually(reached: Callable[[], Awaitable[bool] | bool]) -> None:
    """Ask until it is so; the other side of a connection tells nobody."""
    async with asyncio.timeout(30):
        while True:
            answer = reached()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def agents_running(count: int, **more: Any) -> AsyncIterator[list[Agent]]:
    agents = [Agent(f"agent-{number}", **more) for number in range(count)]
    try:
        for agent in agents:
            await agent.start()
        yield agents
    finally:
        for agent in agents:
            agent.go_on.set()
            await agent.stop()


@asynccontextmanager
async def gateway_of(
    agents: list[Agent] | list[str], top: dict[str, Any] | None = None, **route: Any
) -> AsyncIterator[World]:
    """Run a gateway with one route to these agents."""
    addresses = [each if isinstance(each, str) else each.address for each in agents]
    settings = config.parse(
        {
            "listen": "127.0.0.1:0",
            "admin": "127.0.0.1:0",
            "drainDelay": "0s",
            "routes": [{"agent": "research", "backends": {"static": addresses}, **route}],
            **(top or {}),
        }
    )
    async with (
        Gateway(settings, SystemClock(), ENVIRON) as gateway,
        aiohttp.ClientSession() as client,
    ):
        await eventually(lambda: gateway.is_ready)
        yield World(gateway, client)
