"""The service under measurement, as a program: says its port, then serves until it is ended.

python -m tests.benchmarks.runtime.served {bare|fastapi} {with|without}
"""

import asyncio
import socket
import sys

import uvicorn
from fastapi import FastAPI

from agentscaler.runtime.asgi import App, Receive, Scope, Send
from agentscaler.runtime.service import AgentService


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the least that ASGI allows: the hardest case for what is added."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"17")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"answer":"done"}'})


async def ask() -> dict[str, str]:
    """Answer as a FastAPI handler does."""
    return {"answer": "done"}


def made(kind: str, wrapped: bool) -> App:
    """Make the application, with the middleware where its users put it."""
    if kind == "bare":
        return AgentService(bare) if wrapped else bare
    app = FastAPI()
    app.get("/ask")(ask)
    if wrapped:
        app.add_middleware(AgentService)
    return app


def main() -> None:
    """Serve on a free port."""
    kind, wrapped = sys.argv[1:3]
    # Named as TCP, or asyncio leaves Nagle on: 44 ms a request where head and body are two writes.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    app = made(kind, wrapped == "with")
    config = uvicorn.Config(app, lifespan="off", access_log=False, log_level="error")
    server = uvicorn.Server(config)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
