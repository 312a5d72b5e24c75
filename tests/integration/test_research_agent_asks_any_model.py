"""The example's agent with `LLM_URL`, `LLM_API_KEY` and `LLM_MODEL` of another server than ours.

That server is strict and talks as real providers do: it wants the key, refuses the first call,
begins a stream with a role, keeps it alive by comments and ends it with the usage.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from aiohttp import web

from tests.bed.ports import LOOPBACK
from tests.demo.full.processes import Processes

pytestmark = pytest.mark.e2e

KEY, MODEL = "sk-test", "large-1"


class Provider:
    """An OpenAI-compatible server; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.refusals = 1
        self.breaks_off = False

    async def complete(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"message": "no such key"}}, status=401)
        self.asked.append(await request.json())
        if self.refusals:
            self.refusals -= 1
            headers = {"Retry-After": "0.1"}
            return web.json_response(
                {"error": {"message": "slow down"}}, status=429, headers=headers
            )
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b": processing\n\n")
        for chunk in self.chunks():
            await answer.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await answer.write(b"data: [DONE]\n\n")
        return answer

    def chunks(self) -> Iterator[dict[str, Any]]:
        for delta in ({"role": "assistant", "content": None}, {"content": "forty-"}):
            yield {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        if self.breaks_off:
            yield {"error": {"message": "the engine died"}}
            return
        yield {"choices": [{"index": 0, "delta": {"content": "two"}, "finish_reason": "stop"}]}
        yield {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}


@pytest.fixture
async def provider() -> AsyncIterator[tuple[Provider, str]]:
    provider, app = Provider(), web.Application()
    app.router.add_post("/v1/chat/completions", provider.complete)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, 0)
    await site.start()
    yield provider, f"http://{LOOPBACK}:{runner.addresses[0][1]}/v1"
    await runner.cleanup()


@pytest.fixture
async def agent(tmp_path: Path, provider: tuple[Provider, str]) -> AsyncIterator[str]:
    with Processes(tmp_path) as processes:
        redis, redis_url = processes.redis()
        environment = {
            "REDIS_URL": redis_url,
            "LLM_URL": provider[1],
            "LLM_API_KEY": KEY,
            "LLM_MODEL": MODEL,
        }
        program, address = processes.agent("research-1", LOOPBACK, environment)
        for each in (redis, program):
            each.start()
        for each in (redis, program):
            each.wait_ready()
        yield address


def asked(address: str) -> str:
    answer = requests.post(
        f"http://{address}/ask",
        json={"text": "What is six by seven?", "topic": "sums"},
        headers={"x-session-id": "ada"},
        timeout=30,
    )
    answer.raise_for_status()
    return answer.text


async def test_agent_streams_from_the_model_that_it_was_given(
    agent: str, provider: tuple[Provider, str]
) -> None:
    text = await asyncio.to_thread(asked, agent)
    assert [line for line in text.splitlines() if "text" in line] == [
        'data: {"text": ""}', 'data: {"text": "forty-"}', 'data: {"text": "two"}',
    ]  # fmt: skip
    assert 'data: {"turn": 1, "topic": "sums"}' in text
    told = provider[0].asked
    assert len(told) == 3, "one refused, a plan, an answer"
    assert {(each["model"], each["stream"]) for each in told} == {(MODEL, True)}
    page = await asyncio.to_thread(requests.get, f"http://{agent}/metrics", timeout=10)
    series = re.compile(r'^agent_llm_responses_total.*outcome="(\w+)".* (\S+)$', re.MULTILINE)
    outcomes = {outcome: float(value) for outcome, value in series.findall(page.text)}
    assert (outcomes["ok"], outcomes["rate_limited"]) == (2, 1)


async def test_stream_that_the_model_breaks_off_is_an_error_and_no_turn(
    agent: str, provider: tuple[Provider, str]
) -> None:
    provider[0].breaks_off = True
    text = await asyncio.to_thread(asked, agent)
    assert "the engine died" in text.split("event: error")[1]
    kept = await asyncio.to_thread(
        lambda: requests.get(
            f"http://{agent}/session", headers={"x-session-id": "ada"}, timeout=10
        ).json()
    )
    assert kept["turn"] == 0
