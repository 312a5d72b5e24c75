"""A real agent for the tests beside: FastAPI, the runtime kit, uvicorn on a port of its own.

Started as a program: the first line it prints is its port. Options come as JSON in the first
argument.
"""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator

import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse

from agentscaler.runtime.options import ServiceOptions
from agentscaler.runtime.service import AgentService

options = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
max_concurrent = options.pop("max_concurrent", 2)

app = FastAPI()
app.add_middleware(AgentService, max_concurrent=max_concurrent, options=ServiceOptions(**options))


@app.get("/work")
async def work(seconds: float = 0.0) -> dict[str, str]:
    """Take a while."""
    await asyncio.sleep(seconds)
    return {"answer": "done"}


@app.get("/stream")
async def stream() -> StreamingResponse:
    """Send tokens until the client has gone, or for ten seconds."""

    async def tokens() -> AsyncIterator[str]:
        for number in range(1000):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(tokens(), media_type="text/event-stream")


@app.get("/broken")
async def broken() -> None:
    """Fail."""
    raise ZeroDivisionError


@app.websocket("/chat")
async def chat(websocket: WebSocket) -> None:
    """Echo until the client leaves."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


def main() -> None:
    """Serve on a free port and say which."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - for whoever started it
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
