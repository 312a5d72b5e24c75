"""Notice that a client left while its request still waits in line.

A server tells of a disconnect only to whoever reads on, so the request is read ahead, up to a
bound, and replayed to the application afterwards. Costs nothing to requests that do not wait.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from agentscaler.runtime.asgi import Message, Receive

# A prompt fits; an upload does not, and is then read by the application as it would be without us.
READ_AHEAD_BYTES: Final = 256 * 1024


class ReadAhead:
    """A `receive` that has read on while its request waited."""

    def __init__(self, receive: Receive, on_gone: Callable[[], None]) -> None:
        self._receive = receive
        self._on_gone = on_gone
        self._kept: deque[Message] = deque()
        self._room = READ_AHEAD_BYTES
        self._watching = True
        self._reading: asyncio.Task[Message] | None = None
        self._read_on()

    async def __call__(self) -> Message:
        """Give the application what was read ahead, then what comes."""
        if self._kept:
            return self._kept.popleft()
        if self._reading is not None:
            reading, self._reading = self._reading, None
            return await reading
        return await self._receive()

    def stop_watching(self) -> None:
        """Read no further; a read under way is the application's next message."""
        self._watching = False

    def close(self) -> None:
        """End a read that the application did not wait for."""
        if self._reading is not None:
            self._reading.cancel()

    def _read_on(self) -> None:
        self._reading = asyncio.ensure_future(_awaited(self._receive))
        self._reading.add_done_callback(self._note)

    def _note(self, reading: asyncio.Task[Message]) -> None:
        if reading is not self._reading or reading.cancelled() or reading.exception() is not None:
            return  # already the application's, or its to hear of
        message = reading.result()
        self._reading = None
        self._kept.append(message)
        self._room -= len(message.get("body") or b"")
        if message["type"].endswith(".disconnect"):
            self._on_gone()
        elif self._watching and self._room > 0:
            self._read_on()


async def _awaited(receive: Receive) -> Message:
    return await receive()
