"""What the gateway reads of a request before it chooses: key, priority, and the body if it must."""

from dataclasses import dataclass
from typing import Final

from aiohttp import StreamReader, web

from agentscaler.gateway.routing.keys import body_key, text_key
from agentscaler.gateway.routing.picking import Request
from agentscaler.gateway.settings import Key, RouteSettings

# A prompt fits. What is longer, or does not say its length, is streamed and has no key.
MAX_HASHED_BYTES: Final = 1024 * 1024
MAX_PRIORITY: Final = 100

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request, ready to be routed and sent, maybe more than once."""

    request: web.BaseRequest
    routing: Request
    priority: int
    body: bytes | StreamReader | None

    @property
    def may_be_repeated(self) -> bool:
        """Tell whether sending it twice does no harm, and is possible."""
        return self.request.method in IDEMPOTENT and not isinstance(self.body, StreamReader)


async def read_incoming(request: web.BaseRequest, settings: RouteSettings, draw: float) -> Incoming:
    """Read as much of `request` as its route needs."""
    if request.headers.get("expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the response itself has not begun
    body: bytes | StreamReader | None = request.content if request.can_read_body else None
    kind = settings.rule.key.kind
    if kind == "body" and isinstance(body, StreamReader) and _is_short(request):
        body = await body.read()
    return Incoming(
        request=request,
        routing=Request(draw, _key_of(request, settings.rule.key, body)),
        priority=_priority(request.headers.get(settings.queue.priority_header)),
        body=body,
    )


def _is_short(request: web.BaseRequest) -> bool:
    return request.content_length is not None and request.content_length <= MAX_HASHED_BYTES


def _key_of(request: web.BaseRequest, key: Key, body: bytes | StreamReader | None) -> bytes | None:
    if key.kind == "body":
        return body_key(body) if isinstance(body, bytes) else None
    source = request.headers if key.kind == "header" else request.cookies
    text = source.get(key.name)
    return text_key(text) if text else None


def _priority(text: str | None) -> int:
    """Read a priority; what is no whole number counts as none."""
    try:
        return max(-MAX_PRIORITY, min(MAX_PRIORITY, int(text or 0)))
    except ValueError:
        return 0
