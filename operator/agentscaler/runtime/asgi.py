"""The ASGI words as types, and whole answers in one call; knows nothing of agents.

Not taken from Starlette, because the kit must run under any ASGI framework.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

WEBSOCKET_TRY_AGAIN = 1013


def path_of(scope: Scope) -> str:
    """Give the path below where the application is mounted (`uvicorn --root-path`)."""
    path: str = scope["path"]
    return path.removeprefix(root) if (root := scope.get("root_path")) else path


def header_of(scope: Scope, name: bytes) -> bytes | None:
    """Read one request header by its lower-case name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


async def answer(send: Send, status: int, body: bytes, headers: Iterable[Header]) -> None:
    """Send one whole HTTP response."""
    length = (b"content-length", str(len(body)).encode())
    await send(
        {"type": "http.response.start", "status": status, "headers": [*headers, length]},
    )
    await send({"type": "http.response.body", "body": body})


async def answer_json(
    send: Send, status: int, content: dict[str, Any], headers: Iterable[Header] = ()
) -> None:
    """Send one whole JSON response."""
    body = json.dumps(content).encode()
    await answer(send, status, body, [(b"content-type", b"application/json"), *headers])


async def refuse_websocket(
    scope: Scope, send: Send, status: int, reason: str, headers: Iterable[Header]
) -> None:
    """Decline a handshake: with the HTTP status where the server can, else by closing."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        close = {"type": "websocket.close", "code": WEBSOCKET_TRY_AGAIN, "reason": reason}
        await send(close)
        return
    start = {"type": "websocket.http.response.start", "status": status, "headers": [*headers]}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": reason.encode()})
