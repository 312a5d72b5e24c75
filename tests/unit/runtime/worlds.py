"""A clock set by hand, clients that speak ASGI, and an application that works on command."""

import asyncio
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from agentscaler.runtime.asgi import App, Message, Receive, Scope, Send
from agentscaler.runtime.identity import Identity
from agentscaler.runtime.options import ServiceOptions
from agentscaler.runtime.service import AgentService

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
POD = Identity("one", "10.0.0.7", 8000, "agents", "research-agent", "research-agent-0")
LABELS = {"namespace": "agents", "agent": "research-agent", "pod": "research-agent-0"}


class ManualClock:
    """Time passes only when a test says so."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._sleeping: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleeping.append((self._seconds + seconds, waking))
        self._wake()
        await waking

    def advance(self, seconds: float) -> None:
        self._seconds += seconds
        self._wake()

    def _wake(self) -> None:
        for due, waking in self._sleeping:
            if due <= self._seconds and not waking.done():
                waking.set_result(None)
        self._sleeping = [each for each in self._sleeping if not each[1].done()]


async def settle(rounds: int = 20) -> None:
    """Let everything run that can run without time passing."""
    for _ in range(rounds):
        await asyncio.sleep(0)


class Client:
    """One request or handshake, with what came back."""

    def __init__(
        self,
        app: App,
        path: str = "/ask",
        *,
        headers: Iterable[tuple[bytes, bytes]] = (),
        kind: str = "http",
        extensions: dict[str, Any] | None = None,
    ) -> None:
        self.scope: Scope = {
            "type": kind,
            "path": path,
            "headers": list(headers),
            "http_version": "1.1",
            "extensions": extensions or {},
        }
        self.sent: list[Message] = []
        self._app = app
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.say({"type": "http.request", "body": b"hello", "more_body": False})

    def say(self, message: Message) -> None:
        self._inbox.put_nowait(message)

    def leave(self) -> None:
        self.say({"type": f"{self.scope['type']}.disconnect"})

    def start(self) -> "asyncio.Task[None]":
        async def send(message: Message) -> None:
            self.sent.append(message)

        async def run() -> None:
            await self._app(self.scope, self._inbox.get, send)

        return asyncio.create_task(run())

    async def ask(self) -> "Client":
        await self.start()
        return self

    @property
    def status(self) -> int:
        return next((message["status"] for message in self.sent if "status" in message), 0)

    @property
    def headers(self) -> dict[str, str]:
        start = next(message for message in self.sent if "headers" in message)
        return {name.decode(): value.decode() for name, value in start["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


class Gate:
    """An application whose requests stay until they are let go, oldest first."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.inside: deque[asyncio.Future[int]] = deque()
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun.append(scope["path"])
        let_go: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.inside.append(let_go)
        status = await let_go
        self.bodies.append((await receive()).get("body", b""))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    def let_go(self, status: int = 200) -> None:
        self.inside.popleft().set_result(status)


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": b"hello"})


class World:
    """A service around `app` with its own registry and clock."""

    def __init__(self, app: App = hello, max_concurrent: int = 2, **options: Any) -> None:
        self.clock = ManualClock()
        self.registry = CollectorRegistry()
        self.service = AgentService(
            app,
            max_concurrent,
            options=ServiceOptions(identity=POD, **options),
            registry=self.registry,
            clock=self.clock,
        )

    def client(self, path: str = "/ask", **more: Any) -> Client:
        return Client(self.service, path, **more)

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, LABELS | labels)

    def ended(self, outcome: str) -> float | None:
        return self.metric("agent_requests_total", outcome=outcome)
