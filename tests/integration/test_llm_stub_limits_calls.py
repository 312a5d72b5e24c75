"""The stand-in for a model counts a streamed call from its acceptance to its end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.demo.full.processes import Processes

pytestmark = pytest.mark.e2e

CALL = {"messages": [{"role": "user", "content": "hello"}], "stream": True}


@pytest.fixture
async def model(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    with Processes(tmp_path) as processes:
        program, address = processes.model()
        program.start()
        program.wait_ready()
        async with httpx.AsyncClient(base_url=f"http://{address}", timeout=20) as http:
            (await http.put("/limit", json={"max_in_flight": 2})).raise_for_status()
            yield http


async def in_flight(model: httpx.AsyncClient) -> int:
    return int((await model.get("/healthz")).json()["in_flight"])


async def until_none_in_flight(model: httpx.AsyncClient) -> None:
    async with asyncio.timeout(10):
        while await in_flight(model):  # noqa: ASYNC110 - another process tells nobody
            await asyncio.sleep(0.01)


async def test_calls_that_come_together_do_not_pass_the_limit(model: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(model.post("/v1/chat/completions", json=CALL) for _ in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429, 429]
    assert all(answer.text.endswith("data: [DONE]\n\n") for answer in answers if answer.is_success)
    await until_none_in_flight(model)


async def test_stream_counts_until_its_reader_has_gone(model: httpx.AsyncClient) -> None:
    async with model.stream("POST", "/v1/chat/completions", json=CALL) as answer:
        lines = answer.aiter_lines()
        await anext(lines)
        assert await in_flight(model) == 1
    await until_none_in_flight(model)
