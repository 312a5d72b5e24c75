"""The paths that the cluster asks: alive, ready, metrics, and the preStop hook's drain.

They take no slot, so a busy instance still answers. Readiness says nothing of databases or
providers: if those fail, taking every replica out of the Service only hides it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from agentscaler.runtime import asgi
from agentscaler.runtime.asgi import Receive, Scope, Send
from agentscaler.runtime.draining import Drain
from agentscaler.runtime.identity import InstanceInfo

Probe = Callable[[Scope, Receive, Send], Awaitable[None]]

# Every proxy adds one of these. Whoever comes from outside must not take instances away.
_FORWARDED: Final = frozenset({b"forwarded", b"via", b"x-forwarded-for"})


class Probes:
    """Answers about one instance."""

    def __init__(
        self, info: Callable[[], InstanceInfo], drain: Drain, registry: CollectorRegistry
    ) -> None:
        self._info = info
        self._drain = drain
        self._registry = registry

    async def health(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say that the event loop turns."""
        await asgi.answer(send, HTTPStatus.OK, b"ok\n", [(b"content-type", b"text/plain")])

    async def ready(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say whether new requests may come, with the instance's figures."""
        info = self._info()
        status = HTTPStatus.SERVICE_UNAVAILABLE if info.draining else HTTPStatus.OK
        await asgi.answer_json(send, status, info.as_dict())

    async def metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell Prometheus everything in the registry."""
        accepted = asgi.header_of(scope, b"accept") or b""
        encode, content_type = choose_encoder(accepted.decode("latin-1"))
        headers = [(b"content-type", content_type.encode())]
        await asgi.answer(send, HTTPStatus.OK, encode(self._registry), headers)

    async def drain(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Drain, and answer when that has ended: the kubelet sends SIGTERM after the answer."""
        if any(name in _FORWARDED for name, _ in scope["headers"]):
            await asgi.answer_json(send, HTTPStatus.FORBIDDEN, {"error": "not through a proxy"})
            return
        drained = await asyncio.shield(self._drain.begin())
        await asgi.answer_json(send, HTTPStatus.OK, {"drained": drained, **self._info().as_dict()})
