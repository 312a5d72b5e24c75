"""A research agent: plans, looks things up, answers in a stream, and remembers its session.

    REDIS_URL=redis://localhost:6379/0 LLM_URL=http://localhost:8001/v1 \
        uvicorn --app-dir examples/research-agent agent:app

`LLM_URL` is any OpenAI-compatible endpoint (`LLM_API_KEY`, `LLM_MODEL`); `llm_stub.py` is one. What
makes it scale is the kit's: the limit and its line, sessions, profiles, the provider's outcomes.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from llm import Llm, LlmError
from pydantic import BaseModel
from tools import calculate, search

from agentscaler.runtime.errors import ServiceError
from agentscaler.runtime.identity import read_identity
from agentscaler.runtime.options import ServiceOptions
from agentscaler.runtime.profiling import Profiler
from agentscaler.runtime.providers import ProviderMeter
from agentscaler.runtime.redis_state import RedisStateStore
from agentscaler.runtime.service import AgentService
from agentscaler.runtime.sessions import Session, Sessions

SLOTS = 4
REMEMBERED = 10

identity = read_identity(os.environ)
profiler = Profiler(identity)
llm = Llm(os.environ, ProviderMeter("llm", identity))
sessions = Sessions(RedisStateStore(os.environ["REDIS_URL"]), ordered=True)

app = FastAPI(title="research-agent")
app.add_middleware(
    AgentService,
    max_concurrent=SLOTS,
    options=ServiceOptions(
        identity=identity,
        drain_delay_seconds=float(os.environ.get("DRAIN_DELAY_SECONDS", "5")),
    ),
)


class Question(BaseModel):
    """What a user asks; `topic` is settled by a session's first question."""

    text: str
    topic: str = "general"


@app.post("/ask")
async def ask(request: Request, question: Question) -> StreamingResponse:
    """Answer as server-sent events: `started`, `token` and so on, then `done` or `error`."""
    events = answer(sessions.id_of(request.scope), question)
    # The first event is made before the answer begins, so that a store that is down is a 503.
    first = await anext(events)
    return StreamingResponse(_after(first, events), media_type="text/event-stream")


@app.get("/session")
async def remembered(request: Request) -> dict[str, Any]:
    """Tell what is stored of a session: its turns and its topic."""
    async with sessions.open(sessions.id_of(request.scope)) as session:
        return {"turn": session.data.get("turns", 0), "topic": session.data.get("topic", "")}


async def answer(session_id: str, question: Question) -> AsyncIterator[str]:
    """Work on one question; the turn counts once it is stored, and is told only then."""
    begun = False
    try:
        async with sessions.open(session_id) as session:
            yield _event("started", turn=session.data.get("turns", 0) + 1)
            begun = True
            async for token in think(session, question):
                yield _event("token", text=token)
        yield _event("done", turn=session.data["turns"], topic=session.data["topic"])
    except (ServiceError, LlmError) as error:
        if not begun:
            raise
        yield _event("error", reason=str(error))


async def think(session: Session, question: Question) -> AsyncIterator[str]:
    """Plan, use the tools beside each other, and tell what was found."""
    topic = session.data.setdefault("topic", question.topic)
    async with profiler.profile("llm.plan"):
        plan = await llm.complete(f"How would you look into {question.text} ({topic})?")
    async with profiler.profile("tools"):
        found, sum_of = await asyncio.gather(search(topic), calculate("6 * 7"))
    prompt = f"{plan}\n{found}\n{sum_of}\n{session.data.get('asked', [])}\n{question.text}"
    async with profiler.profile("llm.answer"):
        async for token in llm.stream(prompt):
            yield token
    session.data["turns"] = session.data.get("turns", 0) + 1
    session.data["asked"] = [*session.data.get("asked", []), question.text][-REMEMBERED:]


async def _after(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for event in rest:
        yield event


def _event(name: str, **content: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(content)}\n\n"
