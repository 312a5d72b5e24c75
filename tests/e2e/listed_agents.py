"""Agents on an address that an EndpointSlice may hold, and the slice that names them."""

import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.e2e.worlds import Document

FAR = "192.0.2.1"  # of no use but to learn by which address this machine would go there
WORK_SECONDS = 0.02


def own_address() -> str:
    """Give an address of this machine that is not loopback; skips where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((FAR, 9))
        except OSError:
            pytest.skip("this machine has no address but loopback, which EndpointSlices refuse")
        address: str = probe.getsockname()[0]
        return address


class ListedAgent:
    """An agent that works a moment on each request, and counts what it has done by `x-id`."""

    def __init__(self) -> None:
        done = self.done = Counter[str]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(WORK_SECONDS)
                done[self.headers["X-Id"]] += 1
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((own_address(), 0), Handler)
        self.host, self.port = own_address(), self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def stop(self) -> None:
        """Take nothing more; what was begun ends."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def endpoint_slice(service: str, agent: ListedAgent) -> Document:
    """Give the slice of one agent: all endpoints of a slice share a port."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-{agent.port}",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [agent.host], "conditions": {"ready": True}}],
        "ports": [{"name": "http", "port": agent.port}],
    }
