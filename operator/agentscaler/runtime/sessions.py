"""A session for the time of one request: loaded before the work, saved after it if it succeeded.

sessions = Sessions(RedisStateStore("redis://..."))

@app.post("/ask")
async def ask(request: Request) -> ...:
    async with sessions.of(request.scope) as session:
        session.data["turns"] = session.data.get("turns", 0) + 1
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from agentscaler.runtime import asgi, state
from agentscaler.runtime.asgi import Scope
from agentscaler.runtime.errors import InvalidSessionError
from agentscaler.runtime.state import StateStore

DEFAULT_HEADER: Final = "x-session-id"
_EMPTY: Final = b"{}"
_SESSION_ID: Final = re.compile(r"[!-~]{1,128}")


@dataclass(slots=True)
class Session:
    """One session's state while a request works on it; change `data` as you like."""

    session_id: str
    data: dict[str, Any]
    version: str

    @property
    def is_new(self) -> bool:
        """Nothing was stored under this name."""
        return self.version == state.NEW


class Sessions:
    """Sessions kept in `store`, named by the header `header`.

    Two requests of one session may run at once in different replicas: the second to save gets
    `StateConflictError`. With `ordered` those of this process run one after the other instead; with
    affinity at the gateway that is nearly all of them.
    """

    def __init__(
        self,
        store: StateStore,
        *,
        header: str = DEFAULT_HEADER,
        max_bytes: int = state.DEFAULT_MAX_BYTES,
        ordered: bool = False,
    ) -> None:
        self._store = store
        self._header = header.lower().encode()
        self._max_bytes = max_bytes
        self._turns = _Turns() if ordered else None

    @asynccontextmanager
    async def of(self, scope: Scope) -> AsyncIterator[Session]:
        """Open the session that a request names; raises `InvalidSessionError` if it names none."""
        async with self.open(self.id_of(scope)) as session:
            yield session

    def id_of(self, scope: Scope) -> str:
        """Read the session's name from a request's headers."""
        raw = asgi.header_of(scope, self._header)
        if raw is None:
            raise InvalidSessionError(f"the request has no {self._header.decode()} header")
        return raw.decode("latin-1")

    @asynccontextmanager
    async def open(self, session_id: str) -> AsyncIterator[Session]:
        """Load a session, let the caller work, save it if it changed and the work succeeded."""
        if _SESSION_ID.fullmatch(session_id) is None:
            raise InvalidSessionError("a session's name is 1 to 128 visible ASCII characters")
        if self._turns is None:
            async with self._opened(session_id) as session:
                yield session
        else:
            async with self._turns.turn(session_id), self._opened(session_id) as session:
                yield session

    async def forget(self, session_id: str) -> None:
        """Delete a session; work under way on it will get `StateConflictError`."""
        await self._store.delete(session_id)

    @asynccontextmanager
    async def _opened(self, session_id: str) -> AsyncIterator[Session]:
        stored = await self._store.load(session_id)
        session = Session(session_id, state.decode(stored.payload), stored.version)
        yield session  # whatever it raises, cancellation included, passes the save by
        payload = state.encode(session.data, self._max_bytes)
        if payload != (stored.payload or _EMPTY):
            session.version = await self._store.save(session_id, payload, read=stored.version)


class _Turns:
    """One at a time for each session; sessions that nobody waits for take no memory."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def turn(self, session_id: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(session_id, (asyncio.Lock(), 0))
        self._locks[session_id] = (lock, users + 1)
        try:
            async with lock:  # asyncio's lock is fair: first come, first served
                yield
        finally:
            _, users = self._locks.pop(session_id)
            if users > 1:
                self._locks[session_id] = (lock, users - 1)
