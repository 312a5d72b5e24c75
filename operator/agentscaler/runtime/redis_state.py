"""Session state in Redis (`pip install agentscaler[runtime,redis]`).

One key a session: the version, a line break, the payload. A small script compares and writes, so no
other client comes between; it works on one key and hence in a cluster too.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import redis.asyncio
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from agentscaler.runtime.errors import StateUnavailableError
from agentscaler.runtime.state import (
    DEFAULT_TTL_SECONDS,
    NEW,
    NOTHING,
    Stored,
    conflict,
    new_version,
)

logger = logging.getLogger(__name__)

# A save whose answer got lost is sent again by the client: finding the version that it writes
# itself means that it has already succeeded.
_COMPARE_AND_SET: Final = """
local held = redis.call('GET', KEYS[1])
local version = ''
if held then version = string.match(held, '^[^\\n]*') end
if version ~= ARGV[1] and version ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2] .. '\\n' .. ARGV[3], 'PX', ARGV[4])
return 1
"""

# One, for a pooled connection that a restart of the server has cut; a slot is no place to wait.
_RETRIES: Final = 1


class RedisStateStore:
    """State in Redis 6.2 or newer, with `client` or one for `url`.

    A client made here fails after `timeout_seconds` instead of keeping a slot; its own retries are
    safe, because a save that is repeated recognises itself.
    """

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        client: Redis | None = None,
        prefix: str = "agentscaler:session:",
        ttl_seconds: float = DEFAULT_TTL_SECONDS,
        timeout_seconds: float = 2.0,
    ) -> None:
        self._client = client or redis.asyncio.from_url(
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), _RETRIES),
        )
        self._owned = client is None
        self._prefix = prefix
        self._ttl_millis = int(ttl_seconds * 1000)
        self._compare_and_set = self._client.register_script(_COMPARE_AND_SET)

    async def load(self, session_id: str) -> Stored:
        """Read a session; `NOTHING` if there is none. Raises `StateUnavailableError`."""
        with _our_words():
            held = await self._client.getex(self._key(session_id), px=self._ttl_millis)
        return _parsed(held) if held else NOTHING

    async def save(self, session_id: str, payload: bytes, *, read: str) -> str:
        """Write a session that is still at version `read`.

        Raises `StateConflictError`; `StateUnavailableError` leaves open whether it was written.
        """
        version = new_version()
        arguments: list[str | bytes | int] = [read, version, payload, self._ttl_millis]
        with _our_words():
            written = await self._compare_and_set(keys=[self._key(session_id)], args=arguments)
        if not written:
            raise conflict(session_id)
        return version

    async def delete(self, session_id: str) -> None:
        """Forget a session."""
        with _our_words():
            await self._client.delete(self._key(session_id))

    async def aclose(self) -> None:
        """Close the client, if it was made here."""
        if self._owned:
            await self._client.aclose()

    def _key(self, session_id: str) -> str:
        return self._prefix + session_id


def _parsed(held: Any) -> Stored:
    raw = held.encode() if isinstance(held, str) else held
    version, line_break, payload = raw.partition(b"\n")
    if not line_break or version.decode("latin-1") == NEW:
        raise StateUnavailableError("the store holds no state of ours: it carries no version")
    return Stored(version.decode("latin-1"), payload)


@contextmanager
def _our_words() -> Iterator[None]:
    """Say the client's failures in our words."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as exc:
        # The reason names hosts and ports; what is raised here may be answered to callers.
        logger.warning("the session store cannot be used: %s", exc)
        raise StateUnavailableError("the session store cannot be used") from exc
