"""A load generator that costs little: one request after the other on each of a few connections."""

import asyncio
from typing import Final

REQUEST: Final = b"GET /ask HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY_END: Final = b'"done"}'
CONNECTIONS: Final = 8  # below max_concurrent: the cost of counting, not of waiting


class Asking(asyncio.Protocol):
    """Sends the next request when the answer to the last one has come."""

    def __init__(self) -> None:
        self.answered = 0
        self._transport: asyncio.Transport | None = None
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if not self._seen.endswith(BODY_END):
            return
        assert self._seen.startswith(b"HTTP/1.1 200"), self._seen[:200]
        self._seen = b""
        self.answered += 1
        if self._transport is not None:
            self._transport.write(REQUEST)

    def stop(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


async def asked(port: int, seconds: float) -> int:
    """Ask for `seconds`; give the number of answers."""
    loop = asyncio.get_running_loop()
    asking = [
        (await loop.create_connection(Asking, "127.0.0.1", port))[1] for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(seconds)
    for each in asking:
        each.stop()
    return sum(each.answered for each in asking)
