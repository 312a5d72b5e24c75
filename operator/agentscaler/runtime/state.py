"""Session state outside the process, so that any replica can serve any request.

A store keeps bytes under a session's name, with a version that changes at every save: whoever saves
says which version it read, and is refused if that is no longer the newest. Here are the words, the
codec and the twin for tests and for agents of one process; Redis is in `redis_state`.
"""

import json
import secrets
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cachetools import TTLCache

from agentscaler.clock import Clock, SystemClock
from agentscaler.runtime.errors import (
    StateConflictError,
    StateTooLargeError,
    StateUnavailableError,
)

NEW: Final = ""
DEFAULT_TTL_SECONDS: Final = 3600.0
DEFAULT_MAX_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store holds for one session; `version` is `NEW` if nothing."""

    version: str
    payload: bytes


NOTHING: Final = Stored(NEW, b"")


class StateStore(Protocol):
    """Where sessions are kept. Every read and every save begins the time to live anew."""

    async def load(self, session_id: str) -> Stored:
        """Read a session; `NOTHING` if there is none."""
        ...

    async def save(self, session_id: str, payload: bytes, *, read: str) -> str:
        """Write a session that is still at version `read`; give the new version.

        Raises `StateConflictError` if it is not, and writes nothing then.
        """
        ...

    async def delete(self, session_id: str) -> None:
        """Forget a session."""
        ...


def encode(data: dict[str, Any], max_bytes: int) -> bytes:
    """Write state as JSON; raises `StateTooLargeError`, or `TypeError` for what JSON cannot say."""
    payload = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    if len(payload) > max_bytes:
        raise StateTooLargeError(f"state of {len(payload)} bytes exceeds its {max_bytes}")
    return payload


def decode(payload: bytes) -> dict[str, Any]:
    """Read state as written by `encode`; no payload is empty state."""
    if not payload:
        return {}
    try:
        data = json.loads(payload)
    except ValueError as exc:
        raise StateUnavailableError(f"the store holds no state of ours: {exc}") from exc
    if not isinstance(data, dict):
        raise StateUnavailableError("the store holds no state of ours: not an object")
    return data


def new_version() -> str:
    """Draw a version that no other save has.

    Not a number: a session that expires and begins anew would reach the same one again, and a save
    from the session before would overwrite it.
    """
    return secrets.token_hex(8)


def conflict(session_id: str) -> StateConflictError:
    """Say that somebody else saved."""
    return StateConflictError(f"session {session_id!r} changed since it was loaded; load it again")


class MemoryStateStore:
    """State in this process: the same promises as Redis, until the process ends.

    Beyond `max_sessions` the one idle for longest is forgotten.
    """

    def __init__(
        self,
        *,
        ttl_seconds: float = DEFAULT_TTL_SECONDS,
        max_sessions: int = 10_000,
        clock: Clock | None = None,
    ) -> None:
        timer = (clock or SystemClock()).monotonic
        self._kept: TTLCache[str, Stored] = TTLCache(max_sessions, ttl_seconds, timer=timer)

    async def load(self, session_id: str) -> Stored:
        """Read a session; `NOTHING` if there is none."""
        stored = self._kept.pop(session_id, NOTHING)
        if stored.version != NEW:
            self._kept[session_id] = stored  # put back: lives anew, and is the last to be forgotten
        return stored

    async def save(self, session_id: str, payload: bytes, *, read: str) -> str:
        """Write a session that is still at version `read`."""
        if self._kept.get(session_id, NOTHING).version != read:
            raise conflict(session_id)
        self._kept.pop(session_id, None)
        version = new_version()
        self._kept[session_id] = Stored(version, payload)
        return version

    async def delete(self, session_id: str) -> None:
        """Forget a session."""
        self._kept.pop(session_id, None)
