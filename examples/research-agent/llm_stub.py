"""A stand-in for a model provider: chat completions with real latencies, streams and limits.

    MAX_IN_FLIGHT=8 uvicorn --app-dir examples/research-agent llm_stub:app --port 8001

Beyond `MAX_IN_FLIGHT` requests at once (unset: no limit) it answers 429 with Retry-After;
`PUT /limit` with {"max_in_flight": 4} changes that while it runs.
"""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

# Times of a small hosted model: the first token takes a while (log-normal), the others follow.
FIRST_TOKEN_SECONDS, FIRST_TOKEN_SIGMA = 0.3, 0.3
TOKEN_SECONDS = 0.04
LEAST_TOKENS, MOST_TOKENS = 6, 16
WORDS = ("the", "more", "work", "waits", "the", "more", "replicas", "are", "asked", "for")

app = FastAPI(title="llm-stub")


@dataclass
class Load:
    """Requests under way, and how many may be."""

    limit: int | None
    in_flight: int = 0


class Limit(BaseModel):
    """How many requests may be under way; None: any number."""

    max_in_flight: int | None


class Ask(BaseModel):
    """What of a chat completion request matters here."""

    messages: list[dict[str, Any]]
    model: str = "stub"
    stream: bool = False


load = Load(int(os.environ["MAX_IN_FLIGHT"]) if "MAX_IN_FLIGHT" in os.environ else None)
chance = random.Random(2026)  # noqa: S311 - latencies, no secrets


@app.get("/healthz")
def health() -> dict[str, int]:
    """Tell that it runs, and what is under way."""
    return {"in_flight": load.in_flight}


@app.put("/limit")
def limit(wanted: Limit) -> None:
    """Change the limit; what is under way goes on."""
    load.limit = wanted.max_in_flight


@app.post("/v1/chat/completions")
async def complete(ask: Ask) -> Response:
    """Answer as the OpenAI API does, in one piece or as a stream."""
    if load.limit is not None and load.in_flight >= load.limit:
        error = {"message": "too many requests at once", "type": "rate_limit_error"}
        return JSONResponse({"error": error}, status_code=429, headers={"Retry-After": "1"})
    load.in_flight += 1  # at once: another call must not pass the limit before a stream begins
    if ask.stream:
        return CountedStream(_chunks(ask.model), media_type="text/event-stream")
    try:
        text = "".join([token async for token in _tokens()])
    finally:
        load.in_flight -= 1
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return JSONResponse(_told("chat.completion", ask.model, choice))


class CountedStream(StreamingResponse):
    """A stream that is under way until its end, or until its reader has gone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            load.in_flight -= 1


async def _chunks(model: str) -> AsyncIterator[str]:
    async for token in _tokens():
        choice = {"index": 0, "delta": {"content": token}, "finish_reason": None}
        yield f"data: {json.dumps(_told('chat.completion.chunk', model, choice))}\n\n"
    ended = {"index": 0, "delta": {}, "finish_reason": "stop"}
    yield f"data: {json.dumps(_told('chat.completion.chunk', model, ended))}\n\ndata: [DONE]\n\n"


async def _tokens() -> AsyncIterator[str]:
    await asyncio.sleep(FIRST_TOKEN_SECONDS * chance.lognormvariate(0, FIRST_TOKEN_SIGMA))
    for _ in range(chance.randint(LEAST_TOKENS, MOST_TOKENS)):
        yield f"{chance.choice(WORDS)} "
        await asyncio.sleep(TOKEN_SECONDS)


def _told(kind: str, model: str, choice: dict[str, Any]) -> dict[str, Any]:
    return {"id": "stub", "object": kind, "created": 0, "model": model, "choices": [choice]}
