"""Connections to the backends; the only file that knows how the HTTP client fails."""

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from types import TracebackType
from typing import Final, Self

import aiohttp

from agentscaler.gateway.errors import (
    BrokenConnectionError,
    SilentBackendError,
    UnreachableError,
)
from agentscaler.gateway.settings import TimeoutSettings

# Below the 5 s after which uvicorn and Node.js close idle connections: whoever uses one later than
# the server's limit may write into a connection that is just being closed.
KEEP_ALIVE_SECONDS: Final = 4.0
MAX_HEADER_BYTES: Final = 64 * 1024

_AUTO_HEADERS: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class Upstreams:
    """Two kinds of connections.

    Requests that may be repeated share kept ones. The others get a fresh one each: a kept one can
    die in the very moment of its use, and then nobody knows whether the work was done.
    """

    kept: aiohttp.ClientSession
    fresh: aiohttp.ClientSession

    def __init__(self) -> None:
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        kept = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
        self.kept = await self._open.enter_async_context(_session(kept))
        fresh = aiohttp.TCPConnector(limit=0, force_close=True)
        self.fresh = await self._open.enter_async_context(_session(fresh))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        await self._open.aclose()


def timeout_of(settings: TimeoutSettings) -> aiohttp.ClientTimeout:
    """Say the route's timeouts in the client's words; a stream as a whole has none."""
    return aiohttp.ClientTimeout(
        total=None,
        sock_connect=settings.connect_seconds,
        sock_read=settings.idle_seconds,
    )


@contextmanager
def our_words(name: str) -> Iterator[None]:
    """Say the client's failures with the backend `name` in our words.

    A handshake that the backend refuses is an answer, not a failure, and passes.
    """
    try:
        yield
    except aiohttp.WSServerHandshakeError:
        raise
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
        raise UnreachableError(f"no connection to {name}: {exc}") from exc
    except TimeoutError as exc:
        raise SilentBackendError(f"{name} did not answer in time") from exc
    except (aiohttp.ClientError, OSError) as exc:
        raise BrokenConnectionError(f"{name} went away: {exc}") from exc


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_AUTO_HEADERS,
        max_line_size=MAX_HEADER_BYTES,
        max_field_size=MAX_HEADER_BYTES,
    )
