"""The application's answer on its way out: its status seen, our headers added."""

from collections.abc import Awaitable, Callable
from typing import Final

from agentscaler import conventions
from agentscaler.runtime import metrics
from agentscaler.runtime.asgi import Header, Message, Scope, Send

_SERVER_ERROR: Final = 500


class Reply:
    """A `send` that remembers what was answered.

    Not a coroutine function: each chunk of a token stream passes here, and gets the server's own
    awaitable back instead of a second one around it.
    """

    __slots__ = ("_headers", "_more", "_scope", "_send", "begun", "status")

    def __init__(
        self, scope: Scope, send: Send, headers: Callable[[Scope], tuple[Header, ...]]
    ) -> None:
        self._scope = scope
        self._send = send
        self._headers = headers
        self._more = False
        self.begun = False
        self.status = 0

    @property
    def outcome(self) -> str:
        """How the work ended that raised nothing."""
        if not self.begun or self.status >= _SERVER_ERROR:
            return conventions.OUTCOME_ERROR
        # Frameworks that learn of a disconnect in the middle of a stream just return.
        return metrics.OUTCOME_CANCELLED if self._more else conventions.OUTCOME_OK

    def send(self, message: Message) -> Awaitable[None]:
        """Pass `message` on; the response's start gets our headers."""
        if not self.status and message["type"] == "http.response.start":
            self.status = message["status"]
            if headers := self._headers(self._scope):
                # A copy: an application may send the same start more than once.
                message = {**message, "headers": [*message.get("headers", ()), *headers]}
        self.begun = True
        self._more = message.get("more_body", False)
        return self._send(message)
