"""The one place that asks Prometheus: a query goes out, an answer or one of our errors comes back.

The client library is synchronous, so it runs on threads: a small pool for each server, so that one
that hangs takes no thread from another. A question that is not answered by its deadline is given
up, and its thread counted until it comes back. Once no connection came about, those that waited for
a thread meanwhile are not tried: a kernel refuses a peer once a second, and they would use up the
time of a pass that other servers share.
"""

import asyncio
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

from prometheus_api_client import PrometheusConnect

from agentscaler.clock import Clock
from agentscaler.errors import SourceTimeoutError, SourceUnavailableError
from agentscaler.observe.credentials import ANONYMOUS, Credentials
from agentscaler.observe.failures import UnreachableError, our_words, warning_in
from agentscaler.observe.timelines import Span
from agentscaler.observe.transport import (
    MOST_BYTES,
    MOST_GUARDED_BYTES,
    NO_RETRY,
    BoundedAdapter,
    Exchange,
    open_session,
)

T = TypeVar("T")

WORKERS: Final = 4
# The server is to give up first: then it says so, and which query it was.
_SERVER_SHARE: Final = 0.8
_MOST_CLIENTS: Final = 64


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a server said. `warning` is not empty when it said so of data it could not reach."""

    content: T
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """As whom, until when (on the monotonic clock) and how long at most one question may take.

    `most_bytes` is the largest answer that is taken in, None as much as the server is trusted with.
    """

    until: float
    credentials: Credentials = ANONYMOUS
    patience: float = 6.0
    most_bytes: int | None = None


class _Client:
    """One connection of one thread."""

    def __init__(
        self, address: str, credentials: Credentials, clock: Clock, *, guarded: bool
    ) -> None:
        self.exchange = Exchange()
        session = open_session(credentials, self.exchange, clock)
        self.connect = PrometheusConnect(address, retry=NO_RETRY, session=session)
        # The library mounts an adapter of its own when it is made.
        adapter = BoundedAdapter(credentials, clock, self.exchange, guarded=guarded)
        session.mount(address, adapter)


class _Threads(threading.local):
    """The clients of each thread: a session must not be shared between threads."""

    def __init__(self) -> None:
        self.clients: dict[Credentials, _Client] = {}


class Prometheus:
    """One server, whoever asks it. `close` it in the end.

    Where it is `guarded`, a name that leads to this machine or its link is not asked.
    """

    def __init__(
        self, address: str, clock: Clock, *, workers: int = WORKERS, guarded: bool = False
    ) -> None:
        self.address = address.rstrip("/")
        self.host = _host_of(self.address)
        self.asked = 0
        self._given_up: set[Future[Any]] = set()
        self._unreachable = -math.inf, ""
        self._clock = clock
        self._guarded = guarded
        self._most_bytes = MOST_GUARDED_BYTES if guarded else MOST_BYTES
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="prometheus")
        self._threads = _Threads()
        self._opened: list[_Client] = []

    @property
    def abandoned(self) -> int:
        """Count the threads that still wait for an answer nobody wants any more."""
        return len(self._given_up)

    async def instant(
        self, query: str, caller: Caller, at: datetime, read: Callable[[list[Any]], T]
    ) -> Answer[T]:
        """Ask for the values at one moment; `read` makes sense of the result, on the thread.

        Raise SourceError: BadQueryError with the server's own sentence, SourceUnavailableError,
        SourceTimeoutError or BadResponseError.
        """

        def ask(connect: PrometheusConnect, timeout: float) -> Any:
            given = {"time": at.timestamp(), "timeout": _server_limit(timeout)}
            return connect.custom_query(query, params=given, timeout=timeout)

        return await self._within(caller, ask, read)

    async def span(
        self, query: str, caller: Caller, span: Span, read: Callable[[list[Any]], T]
    ) -> Answer[T]:
        """Ask for the values at each step of a span of time; errors as with `instant`."""

        def ask(connect: PrometheusConnect, timeout: float) -> Any:
            given = {"timeout": _server_limit(timeout)}
            step = f"{span.step.total_seconds():.0f}"
            return connect.custom_query_range(
                query, span.start, span.end, step, params=given, timeout=timeout
            )

        return await self._within(caller, ask, read)

    def close(self) -> None:
        """End the connections; threads that still wait end with their timeouts."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for client in self._opened:
            client.connect.close()

    async def _within(
        self,
        caller: Caller,
        ask: Callable[[PrometheusConnect, float], Any],
        read: Callable[[list[Any]], T],
    ) -> Answer[T]:
        """Run a question on a thread, and give it up at the caller's deadline."""
        self.asked += 1
        work = self._pool.submit(self._put, caller, self._clock.monotonic(), ask, read)
        waiting = asyncio.wrap_future(work)
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        left = caller.until - self._clock.monotonic()
        try:
            done, _ = await asyncio.wait({waiting}, timeout=max(0.0, left))
        except asyncio.CancelledError:
            self._give_up(work)
            raise
        if not done:
            self._give_up(work)
            raise SourceTimeoutError(f"{self.host} did not answer in time")
        return waiting.result()

    def _give_up(self, work: Future[Any]) -> None:
        if not work.cancel():
            self._given_up.add(work)
            work.add_done_callback(self._given_up.discard)

    def _put(
        self,
        caller: Caller,
        since: float,
        ask: Callable[[PrometheusConnect, float], Any],
        read: Callable[[list[Any]], T],
    ) -> Answer[T]:
        """Put a question on this thread, for which it has waited `since` then."""
        seen, words = self._unreachable
        if seen >= since:
            raise UnreachableError(words)
        timeout = min(caller.patience, caller.until - self._clock.monotonic())
        if timeout <= 0:
            raise SourceTimeoutError(f"{self.host} had no time left to be asked")
        client = self._client(caller.credentials)
        client.exchange.most_bytes = caller.most_bytes or self._most_bytes
        try:
            with our_words(self.host, client.exchange):
                content = read(ask(client.connect, timeout))
                return Answer(content, warning_in(client.exchange.body))
        except UnreachableError as exc:
            self._unreachable = self._clock.monotonic(), str(exc)
            raise

    def _client(self, credentials: Credentials) -> _Client:
        clients = self._threads.clients
        if credentials not in clients:
            if len(clients) >= _MOST_CLIENTS:  # Secrets that changed leave clients behind
                self._drop_oldest(clients)
            clients[credentials] = self._open(credentials)
        return clients[credentials]

    def _open(self, credentials: Credentials) -> _Client:
        try:
            client = _Client(self.address, credentials, self._clock, guarded=self._guarded)
        except ValueError as exc:
            raise SourceUnavailableError(f"the credentials for {self.host}: {exc}") from exc
        self._opened.append(client)
        return client

    def _drop_oldest(self, clients: dict[Credentials, _Client]) -> None:
        client = clients.pop(next(iter(clients)))
        self._opened.remove(client)
        client.connect.close()


def _server_limit(timeout: float) -> str:
    """Write the time a server may take; Prometheus takes no fraction of a unit."""
    return f"{max(1, int(timeout * _SERVER_SHARE * 1000))}ms"


def _host_of(address: str) -> str:
    """Name a server in sentences: without what may be secret in its address."""
    parts = urlsplit(address)
    return parts.netloc.rpartition("@")[2]
