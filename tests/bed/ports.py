"""Ports of the loopback interface that stay ours for as long as a bed lives."""

import socket
import sys

from tests.bed.errors import BedError

LOOPBACK = "127.0.0.1"


class Ports:
    """Reserve ports so that two beds, or a bed and anything else, cannot be given the same one.

    On Linux the reserving socket stays bound and never listens: with SO_REUSEADDR set on both,
    the program may listen on the port, while the kernel gives it to nobody else, not even
    while the program is stopped. Elsewhere the port is found free and let go.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def reserve(self, wanted: int = 0) -> int:
        """Reserve the wanted port, or any free one for 0."""
        holder = socket.socket()
        if wanted:  # connections of its last user may still linger
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind((LOOPBACK, wanted))
        except OSError as exc:
            holder.close()
            raise BedError(
                f"port {wanted} is taken by another program ({exc.strerror}); "
                "choose another one, or 0 for any free port"
            ) from exc
        port: int = holder.getsockname()[1]
        if sys.platform == "linux":
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._held.append(holder)
        else:
            holder.close()
        return port

    def release(self) -> None:
        """Give every port back."""
        for holder in self._held:
            holder.close()
        self._held.clear()
