"""The middleware under a real server, with real clients: limits, streams, disconnects, SIGTERM."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

AGENT = Path(__file__).with_name("runtime_agent.py")


class Agent:
    """A running agent, with a client."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10)

    async def metric(self, name: str, more: str = "") -> float:
        page = (await self.client.get("/metrics")).text
        found = re.search(rf"^{name}\{{[^}}]*{more}[^}}]*\}} (\S+)$", page, re.MULTILINE)
        return float(found[1]) if found else 0.0

    async def until(self, name: str, value: float) -> None:
        """Wait until a metric has a value."""

        async def reached() -> bool:
            return await self.metric(name) == value

        await eventually(reached)

    async def until_ready(self, status: int) -> None:
        """Wait until the readiness probe answers `status`."""

        async def reached() -> bool:
            try:
                return (await self.client.get("/readyz")).status_code == status
            except httpx.TransportError:
                return False  # not listening yet

        await eventually(reached)


async def eventually(reached: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so; another process tells nobody."""
    async with asyncio.timeout(60):
        while not await reached():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Agent]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, AGENT, json.dumps(options), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        agent = Agent(process, int(await process.stdout.readline()))
        async with agent.client:
            await agent.until_ready(200)
            yield agent
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_requests_beyond_the_limit_wait_and_beyond_the_line_are_refused() -> None:
    async with running(max_concurrent=1, max_queued=1) as agent:
        answers = await asyncio.gather(
            *(agent.client.get("/work", params={"seconds": 0.3}) for _ in range(4))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503]
        refused = next(answer for answer in answers if answer.status_code == 503)
        assert int(refused.headers["retry-after"]) >= 1
        assert await agent.metric("agent_requests_received_total") == 4
        assert await agent.metric("agent_requests_total", 'outcome="rejected"') == 2
        assert await agent.metric("agent_active_requests") == 0


async def test_failing_handler_answers_500_and_counts_as_an_error() -> None:
    async with running() as agent:
        # uvicorn cuts the connection after a failure: the next request must not be on it
        answer = await agent.client.get("/broken", headers={"connection": "close"})
        assert answer.status_code == 500
        assert await agent.metric("agent_requests_total", 'outcome="error"') == 1


async def test_stream_whose_client_goes_away_gives_its_slot_back() -> None:
    async with running() as agent:
        async with agent.client.stream("GET", "/stream") as answer:
            assert answer.headers["endpoint-load-metrics"].startswith("TEXT ")
            lines = answer.aiter_lines()  # kept: a forgotten generator closes the answer
            assert await anext(lines) == "data: 0"
            assert await agent.metric("agent_active_requests") == 1
        await agent.until("agent_active_requests", 0)
        assert await agent.metric("agent_requests_total", 'outcome="cancelled"') == 1


async def test_client_that_goes_away_while_waiting_gives_its_place_back() -> None:
    async with running(max_concurrent=1) as agent:
        working = asyncio.create_task(agent.client.get("/work", params={"seconds": 1}))
        await agent.until("agent_active_requests", 1)
        with pytest.raises(httpx.ReadTimeout):
            await agent.client.get("/work", timeout=0.1)
        await agent.until("agent_queue_depth", 0)
        assert (await working).status_code == 200
        assert await agent.metric("agent_requests_total", 'outcome="cancelled"') == 1


async def test_websocket_is_counted_while_it_lasts_and_declined_beyond_the_limit() -> None:
    async with running(max_concurrent=1, max_queued=0) as agent:
        url = f"ws://127.0.0.1:{agent.port}/chat"
        async with connect(url) as websocket:
            await websocket.send("hello")
            assert await websocket.recv() == "hello"
            assert await agent.metric("agent_active_requests") == 1
            with pytest.raises(InvalidStatus) as declined:
                await connect(url)
            assert declined.value.response.status_code == 503
        await agent.until("agent_active_requests", 0)


async def test_sigterm_loses_no_request_that_runs_or_still_arrives() -> None:
    async with running(drain_delay_seconds=3, drain_limit_seconds=10) as agent:
        running_one = asyncio.create_task(agent.client.get("/work", params={"seconds": 4}))
        await agent.until("agent_active_requests", 1)
        agent.process.send_signal(signal.SIGTERM)
        await agent.until_ready(503)
        late = await agent.client.get("/work")
        assert late.status_code == 200
        assert late.headers["connection"] == "close"
        assert (await running_one).status_code == 200
        async with asyncio.timeout(20):
            assert await agent.process.wait() in (0, -signal.SIGTERM)


async def test_sigterm_is_bounded_by_the_drain_limit() -> None:
    async with running(drain_delay_seconds=0, drain_limit_seconds=0.3) as agent:
        hanging = asyncio.create_task(agent.client.get("/work", params={"seconds": 60}))
        await agent.until("agent_active_requests", 1)
        agent.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):  # the request takes 60 s
            await agent.process.wait()
        await asyncio.gather(hanging, return_exceptions=True)


async def test_prestop_path_drains_and_sigterm_then_ends_the_process_at_once() -> None:
    async with running(drain_delay_seconds=0.2, drain_limit_seconds=5) as agent:
        working = asyncio.create_task(agent.client.get("/work", params={"seconds": 0.6}))
        await agent.until("agent_active_requests", 1)
        told = (await agent.client.get("/drain")).json()
        assert told["drained"] is True
        assert (await working).status_code == 200
        assert (await agent.client.get("/work")).status_code == 503
        agent.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            await agent.process.wait()
