"""A client that goes away while it waits takes nobody's slot, and nothing it sent gets lost."""

import asyncio

import pytest

from agentscaler.runtime.asgi import Message, Receive, Scope, Send
from agentscaler.runtime.disconnects import READ_AHEAD_BYTES, ReadAhead
from tests.unit.runtime.worlds import Gate, World, settle


async def test_waiting_request_is_dropped_when_its_client_leaves() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1)
    first = world.client("/first").start()
    gone = world.client("/gone")
    leaving = gone.start()
    last = world.client("/last").start()
    await settle()
    gone.leave()
    await leaving
    assert world.metric("agent_queue_depth") == 1
    assert gone.sent == []
    for _ in range(2):
        gate.let_go()
        await settle()
    await asyncio.gather(first, last)
    assert gate.begun == ["/first", "/last"]
    assert world.ended("cancelled") == 1


async def test_request_that_waited_reaches_the_application_whole() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1)
    asking = [world.client().start() for _ in range(2)]
    for _ in range(2):
        await settle()
        gate.let_go()
    await asyncio.gather(*asking)
    assert gate.bodies == [b"hello", b"hello"]


async def test_body_that_arrives_in_parts_keeps_its_order_when_read_ahead() -> None:
    got: list[bytes] = []

    async def reader(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            got.append(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})

    gate = Gate()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (gate if scope["path"] == "/gate" else reader)(scope, receive, send)

    world = World(app, max_concurrent=1)
    first = world.client("/gate").start()
    upload = world.client("/upload")
    upload.say({"type": "http.request", "body": b"2", "more_body": True})
    upload._inbox.get_nowait()  # the one-piece body that clients send by default
    uploading = upload.start()
    await settle()
    gate.let_go()
    await settle()
    upload.say({"type": "http.request", "body": b"3", "more_body": True})
    upload.say({"type": "http.request", "body": b"4", "more_body": False})
    await asyncio.gather(first, uploading)
    assert got == [b"2", b"3", b"4"]


async def test_reading_ahead_stops_at_its_bound_so_that_uploads_stay_with_the_server() -> None:
    served = 0

    async def receive() -> Message:
        nonlocal served
        served += 1
        return {"type": "http.request", "body": b"x" * (READ_AHEAD_BYTES // 2), "more_body": True}

    ahead = ReadAhead(receive, on_gone=lambda: None)
    await settle()
    assert served == 2
    assert len((await ahead())["body"]) == READ_AHEAD_BYTES // 2
    await ahead()
    await ahead()
    assert served == 3


async def test_failing_receive_is_the_applications_to_hear_of() -> None:
    async def receive() -> Message:
        raise ConnectionResetError

    ahead = ReadAhead(receive, on_gone=lambda: None)
    await settle()
    with pytest.raises(ConnectionResetError):
        await ahead()


async def test_read_under_way_ends_with_its_request() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1)
    first = world.client().start()
    second = world.client().start()
    await settle()
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    gate.let_go()
    await first
    await settle()
    reading = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert reading == []


@pytest.mark.parametrize("extended", [False, True])
async def test_handshake_beyond_the_line_is_declined(extended: bool) -> None:
    gate = Gate()
    world = World(gate, max_concurrent=1, max_queued=0)
    first = world.client().start()
    await settle()
    extensions: dict[str, object] = {"websocket.http.response": {}} if extended else {}
    declined = await world.client(kind="websocket", extensions=extensions).ask()
    if extended:
        assert declined.status == 503
        assert "retry-after" in declined.headers
    else:
        assert declined.sent[0]["type"] == "websocket.close"
        assert declined.sent[0]["code"] == 1013
    gate.let_go()
    await first
