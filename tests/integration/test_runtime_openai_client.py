"""The openai client, unchanged, with its own retries, streams and HTTP library, under a meter."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import openai
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from agentscaler.runtime.identity import Identity
from agentscaler.runtime.providers import ProviderMeter
from agentscaler.runtime.transports import metered

POD = Identity("one", "10.0.0.7", 8000, "agents", "research-agent", "research-agent-0")
LABELS = {"namespace": "agents", "agent": "research-agent", "pod": "research-agent-0"}
MESSAGES: Any = [{"role": "user", "content": "hello"}]
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


class Provider:
    """A provider that refuses as often as it is told to, then answers."""

    def __init__(self) -> None:
        self.refusals: list[int] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if self.refusals:
            return web.json_response({"error": {}}, status=self.refusals.pop(0))
        if asked.get("stream"):
            return await self._stream(request)
        message = {"role": "assistant", "content": "hi"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response(self._said("chat.completion", choices=[choice], usage=USAGE))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        delta = {"index": 0, "delta": {"content": "hi"}, "finish_reason": None}
        for event in (
            self._said("chat.completion.chunk", choices=[delta]),
            self._said("chat.completion.chunk", choices=[], usage=USAGE),
        ):
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    def _said(self, kind: str, **more: Any) -> dict[str, Any]:
        return {"id": "1", "object": kind, "created": 1, "model": "small", **more}


class World:
    """A provider, a client and a meter between them."""

    def __init__(
        self, provider: Provider, client: openai.AsyncOpenAI, meter: ProviderMeter
    ) -> None:
        self.provider = provider
        self.create = client.chat.completions.create
        self.watched: Any = meter.watch(self.create)


@asynccontextmanager
async def world(registry: CollectorRegistry) -> AsyncIterator[World]:
    provider = Provider()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", provider.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    meter = ProviderMeter("openai", POD, registry=registry)
    transport = metered(meter, httpx2.AsyncHTTPTransport())
    client = openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{port}/v1",
        api_key="none",
        http_client=openai.DefaultAsyncHttpxClient(transport=transport),
        max_retries=2,
    )
    try:
        async with client:
            yield World(provider, client, meter)
    finally:
        await runner.cleanup()


def outcomes(registry: CollectorRegistry) -> dict[str, float]:
    return {
        outcome: count
        for outcome in ("ok", "rate_limited", "server_error", "no_response")
        if (
            count := registry.get_sample_value(
                "agent_llm_responses_total", LABELS | {"provider": "openai", "outcome": outcome}
            )
        )
    }


def tokens(registry: CollectorRegistry) -> list[float | None]:
    return [
        registry.get_sample_value(
            "agent_llm_tokens_total", LABELS | {"provider": "openai", "type": kind}
        )
        for kind in ("input", "output")
    ]


def pending(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("agent_pending_llm_calls", LABELS)


async def test_refusals_that_the_client_hides_by_retrying_are_counted() -> None:
    registry = CollectorRegistry()
    async with world(registry) as at:
        at.provider.refusals = [429, 500]
        answer = await at.watched(model="small", messages=MESSAGES)
        assert answer.choices[0].message.content == "hi"
    assert outcomes(registry) == {"rate_limited": 1, "server_error": 1, "ok": 1}
    assert (tokens(registry), pending(registry)) == ([5, 7], 0)


async def test_refusal_that_reaches_the_caller_is_counted_once_an_attempt() -> None:
    registry = CollectorRegistry()
    async with world(registry) as at:
        at.provider.refusals = [429, 429, 429]
        with pytest.raises(openai.RateLimitError):
            await at.watched(model="small", messages=MESSAGES)
    assert outcomes(registry) == {"rate_limited": 3}
    assert pending(registry) == 0


async def test_stream_is_pending_while_it_is_read_and_counts_its_tokens() -> None:
    registry = CollectorRegistry()
    async with world(registry) as at:
        stream = await at.watched(model="small", messages=MESSAGES, stream=True)
        assert (await anext(stream)).choices[0].delta.content == "hi"
        assert pending(registry) == 1
        rest = [chunk async for chunk in stream]
        assert rest[-1].usage.total_tokens == 12
    assert outcomes(registry) == {"ok": 1}
    assert (tokens(registry), pending(registry)) == ([5, 7], 0)


async def test_stream_that_is_closed_early_is_no_longer_pending() -> None:
    registry = CollectorRegistry()
    async with world(registry) as at:
        async with await at.watched(model="small", messages=MESSAGES, stream=True) as stream:
            await anext(stream)
        assert pending(registry) == 0
    assert outcomes(registry) == {"ok": 1}


async def test_transport_alone_counts_without_a_watched_method() -> None:
    registry = CollectorRegistry()
    async with world(registry) as at:
        await at.create(model="small", messages=MESSAGES)
    assert (outcomes(registry), pending(registry)) == ({"ok": 1}, 0)
