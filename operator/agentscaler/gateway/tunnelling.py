"""WebSockets: message by message in both directions, with pings, close codes and back-pressure."""

import asyncio
from http import HTTPStatus

import aiohttp
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from agentscaler.gateway import headers
from agentscaler.gateway.backends import Backend
from agentscaler.gateway.exchanges import url_at
from agentscaler.gateway.upstreams import Upstreams, our_words

End = web.WebSocketResponse | aiohttp.ClientWebSocketResponse

_HANDSHAKE = (
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
)


def is_websocket(request: web.BaseRequest) -> bool:
    """Tell whether the client asks for a WebSocket."""
    return request.headers.get("upgrade", "").lower() == "websocket"


async def tunnel(
    request: web.BaseRequest, backend: Backend, upstreams: Upstreams
) -> tuple[web.StreamResponse, bool]:
    """Open the backend's socket, then the client's, and join them until either closes.

    Tells also whether it came about. Raises `BackendError` if the backend cannot be reached.
    """
    asked = request.headers.get("sec-websocket-protocol", "")
    try:
        with our_words(backend.name):
            opened = await upstreams.fresh.ws_connect(
                url_at(backend, request),
                protocols=[each.strip() for each in asked.split(",") if each.strip()],
                headers=headers.forwarded(
                    request.headers,
                    client=request.remote or "",
                    scheme=request.scheme,
                    without=_HANDSHAKE,
                ),
                autoping=False,
                max_msg_size=0,
            )
    except aiohttp.WSServerHandshakeError as refusal:
        return _refused(refusal), refusal.status < HTTPStatus.INTERNAL_SERVER_ERROR
    async with opened:
        protocols = [opened.protocol] if opened.protocol else []
        client = web.WebSocketResponse(
            protocols=protocols, autoping=False, max_msg_size=0, compress=False
        )
        await client.prepare(request)
        await _join(client, opened)
    return client, True


async def _join(client: web.WebSocketResponse, backend: aiohttp.ClientWebSocketResponse) -> None:
    """Relay both ways; the first to end closes the other with its own code."""
    relays = {
        asyncio.ensure_future(_relay(client, backend)),
        asyncio.ensure_future(_relay(backend, client)),
    }
    try:
        await asyncio.wait(relays, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)


async def _relay(source: End, sink: End) -> None:
    while True:
        message = await source.receive()
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG):
            break
        await _send(sink, message)
    if message.type is WSMsgType.CLOSE:
        reason = (message.extra or "").encode()
        await sink.close(code=message.data or WSCloseCode.OK, message=reason)
    else:  # it went away without a word
        await sink.close(code=WSCloseCode.BAD_GATEWAY, message=b"the other side went away")


async def _send(sink: End, message: WSMessage) -> None:
    match message.type:
        case WSMsgType.TEXT:
            await sink.send_str(message.data)
        case WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        case WSMsgType.PING:
            await sink.ping(message.data)
        case _:
            await sink.pong(message.data)


def _refused(refusal: aiohttp.WSServerHandshakeError) -> web.Response:
    passed = headers.end_to_end(refusal.headers or {}, ("content-length", headers.LOAD_REPORT))
    passed.popall("content-type", None)
    return web.Response(status=refusal.status, text=refusal.message, headers=passed)
