"""Leaving: not ready at once, arrivals served for a while, running work finished, bounded."""

import asyncio
import json
import signal
import threading
from types import FrameType
from typing import Any

import pytest

from agentscaler.runtime.asgi import Message, Receive, Scope, Send
from agentscaler.runtime.draining import TerminationSignal
from tests.unit.runtime.worlds import Gate, World, settle


async def test_instance_is_not_ready_as_soon_as_it_drains() -> None:
    world = World()
    world.service.drain.begin()
    ready = await world.client("/readyz").ask()
    assert ready.status == 503
    told = json.loads(ready.body)
    assert (told["draining"], told["capacity"], told["load_factor"]) == (True, 0, 1.0)
    assert (await world.client("/healthz").ask()).status == 200


async def test_draining_instance_serves_what_still_arrives_but_reports_no_room() -> None:
    world = World(drain_delay_seconds=5)
    world.service.drain.begin()
    await settle()
    late = await world.client().ask()
    assert late.status == 200
    assert late.headers["connection"] == "close"
    assert "application_utilization=1," in late.headers["endpoint-load-metrics"]


async def test_draining_instance_closes_connections_without_a_load_report_too() -> None:
    world = World(load_report=None)
    world.service.drain.begin()
    assert (await world.client().ask()).headers["connection"] == "close"


async def test_http2_answers_carry_no_connection_header() -> None:
    world = World()
    world.service.drain.begin()
    client = world.client()
    client.scope["http_version"] = "2"
    assert "connection" not in (await client.ask()).headers


async def test_instance_refuses_after_the_delay() -> None:
    world = World(drain_delay_seconds=5)
    drained = world.service.drain.begin()
    await settle()
    world.clock.advance(5)
    assert await drained
    refused = await world.client().ask()
    assert refused.status == 503
    assert "retry-after" in refused.headers
    assert world.ended("rejected") == 1


async def test_drain_ends_when_the_work_and_the_line_have_ended() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1, drain_delay_seconds=5, drain_limit_seconds=60)
    asking = [world.client().start() for _ in range(2)]
    await settle()
    drained = world.service.drain.begin()
    await settle()
    world.clock.advance(6)
    await settle()
    assert not drained.done()
    for _ in range(2):
        gate.let_go()
        await settle()
    assert await drained
    assert await asyncio.gather(*asking) == [None, None]
    assert world.ended("ok") == 2


async def test_drain_ends_at_its_limit_with_work_still_under_way() -> None:
    world = World(Gate(), drain_delay_seconds=5, drain_limit_seconds=25)
    world.client().start()
    await settle()
    drained = world.service.drain.begin()
    for seconds in (5, 19):
        await settle()
        world.clock.advance(seconds)
    await settle()
    assert not drained.done()
    world.clock.advance(1)
    assert await drained is False


async def test_drain_path_answers_when_the_drain_has_ended() -> None:
    world = World(drain_delay_seconds=5)
    hook = world.client("/drain")
    hooking = hook.start()
    await settle()
    assert hook.sent == []
    world.clock.advance(5)
    await hooking
    told = json.loads(hook.body)
    assert (told["drained"], told["load"]) == (True, 0)


@pytest.mark.parametrize("header", [b"x-forwarded-for", b"forwarded", b"via"])
async def test_drain_path_is_closed_to_whoever_comes_through_a_proxy(header: bytes) -> None:
    world = World()
    refused = await world.client("/drain", headers=[(header, b"10.0.0.1")]).ask()
    assert refused.status == 403
    assert not world.service.drain.draining


async def test_drain_path_can_be_left_out() -> None:
    assert (await World(drain_path=None).client("/drain").ask()).body == b"hello"


class Server:
    """The part of a server that a lifespan meets: a SIGTERM handler and messages."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stopped: list[int] = []
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[str] = []

    def handle(self, number: int, frame: FrameType | None) -> None:
        self.stopped.append(number)

    async def send(self, message: Message) -> None:
        self.sent.append(message["type"])

    def start(self) -> "asyncio.Task[None]":
        async def run() -> None:
            await self.world.service({"type": "lifespan"}, self.inbox.get, self.send)

        self.inbox.put_nowait({"type": "lifespan.startup"})
        return asyncio.create_task(run())


async def living(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        for stage in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{stage}"
            await send({"type": f"lifespan.{stage}.complete"})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have a server whose handler is in place; the test runner's comes back afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    server = Server(World(living, drain_delay_seconds=5))
    signal.signal(signal.SIGTERM, server.handle)
    yield server
    signal.signal(signal.SIGTERM, before)


async def test_sigterm_drains_before_the_server_hears_of_it(server: Server) -> None:
    server.start()
    await settle()
    signal.raise_signal(signal.SIGTERM)
    await settle()
    assert server.world.service.drain.draining
    assert server.stopped == []
    server.world.clock.advance(5)
    await settle()
    assert server.stopped == [signal.SIGTERM]


async def test_second_sigterm_goes_straight_to_the_server(server: Server) -> None:
    server.start()
    await settle()
    for _ in range(2):
        signal.raise_signal(signal.SIGTERM)
    assert server.stopped == [signal.SIGTERM]


async def test_sigterm_after_the_drain_path_reaches_the_server_at_once(server: Server) -> None:
    server.start()
    hooking = server.world.client("/drain").start()
    await settle()
    server.world.clock.advance(5)
    await hooking
    signal.raise_signal(signal.SIGTERM)
    await settle()
    assert server.stopped == [signal.SIGTERM]


async def test_shutdown_gives_the_handler_back(server: Server) -> None:
    running = server.start()
    await settle()
    assert signal.getsignal(signal.SIGTERM) != server.handle
    server.inbox.put_nowait({"type": "lifespan.shutdown"})
    await running
    assert signal.getsignal(signal.SIGTERM) == server.handle
    assert server.world.service.drain.draining
    assert server.sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_shutdown_leaves_a_handler_alone_that_came_later(server: Server) -> None:
    running = server.start()
    await settle()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server.inbox.put_nowait({"type": "lifespan.shutdown"})
    await running
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


async def test_signal_is_left_alone_when_asked(server: Server) -> None:
    server.world = World(living, drain_on_sigterm=False)
    server.start()
    await settle()
    signal.raise_signal(signal.SIGTERM)
    assert server.stopped == [signal.SIGTERM]


async def test_signal_is_left_alone_where_nobody_could_be_told_later(server: Server) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert not TerminationSignal(server.world.service.drain).install()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: None)
    try:
        assert not TerminationSignal(server.world.service.drain).install()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def test_signal_is_left_alone_outside_the_main_thread(server: Server) -> None:
    done: list[bool] = []
    worker = threading.Thread(
        target=lambda: done.append(TerminationSignal(server.world.service.drain).install())
    )
    worker.start()
    worker.join()
    assert done == [False]


async def test_lifespan_of_an_application_without_one_fails_as_before(server: Server) -> None:
    async def only_http(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError(scope["type"])

    server.world = World(only_http)
    with pytest.raises(ValueError, match="lifespan"):
        await server.start()
