"""An HTTP server that answers as a test tells it to, at the level of bytes where need be.

For what a healthy Prometheus never does. What it does is proven by the tests against a real one.
"""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

Respond: TypeAlias = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request, and the means to answer it badly."""

    protocol_version = "HTTP/1.1"
    server: "FaultyPrometheus"

    @property
    def asked(self) -> dict[str, str]:
        """Give the parameters of the request."""
        return {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.server.respond(self)

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Send a whole answer; `Retry_After` is the header Retry-After."""
        self.begin(status, **{"Content_Length": str(len(body)), **headers})
        self.wfile.write(body)

    def answer_json(self, content: Any, status: int = 200, **headers: str) -> None:
        """Send JSON."""
        self.answer(
            json.dumps(content).encode(), status, **{"Content_Type": "application/json", **headers}
        )

    def result(self, *series: Any, **more: Any) -> None:
        """Send a successful vector, as Prometheus would."""
        data = {"resultType": "vector", "result": list(series)}
        self.answer_json({"status": "success", "data": data, **more})

    def refuse(self, status: int, kind: str, sentence: str, **headers: str) -> None:
        """Send an error, as Prometheus would."""
        error = {"status": "error", "errorType": kind, "error": sentence}
        self.answer_json(error, status, **headers)

    def begin(self, status: int = 200, **headers: str) -> None:
        """Send the head of an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class FaultyPrometheus(ThreadingHTTPServer):
    """One server on a free port; `requests` records path and headers, `ended` ends its faults."""

    daemon_threads = True
    request_queue_size = 128  # the usual 5 drop connections of a pass that asks much at once

    def __init__(self, respond: Respond) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.respond = respond
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.ended = threading.Event()
        self.scheme = "http"

    @property
    def address(self) -> str:
        """Give the address to ask."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def secure(self, context: ssl.SSLContext) -> None:
        """Speak TLS."""
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that leave are the point."""


@contextlib.contextmanager
def serving(respond: Respond, context: ssl.SSLContext | None = None) -> Iterator[FaultyPrometheus]:
    """Run a server that answers with `respond`."""
    with FaultyPrometheus(respond) as server:
        if context is not None:
            server.secure(context)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()
