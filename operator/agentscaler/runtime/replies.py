"""The application's answer on its way out: its status seen, our headers added."""

from collections.abc import Awaitable, Callable

from agentscaler.runtime.asgi import Header, Message, Scope, Send


class Reply:
    """A `send` that remembers what was answered.

    Not a coroutine function: each chunk of a token stream passes here, and gets the server's own
    awaitable back instead of a second one around it.
    """

    __slots__ = ("_headers", "_scope", "_send", "begun", "status")

    def __init__(
        self, scope: Scope, send: Send, headers: Callable[[Scope], tuple[Header, ...]]
    ) -> None:
        self._scope = scope
        self._send = send
        self._headers = headers
        self.begun = False
        self.status = 0

    def send(self, message: Message) -> Awaitable[None]:
        """Pass `message` on; the response's start gets our headers."""
        if not self.status and message["type"] == "http.response.start":
            self.status = message["status"]
            # A copy: an application may send the same start more than once.
            headers = [*message.get("headers", ()), *self._headers(self._scope)]
            message = {**message, "headers": headers}
        self.begun = True
        return self._send(message)
