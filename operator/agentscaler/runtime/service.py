"""The agent service itself: ASGI middleware that limits, counts, reports load and leaves politely.

    app.add_middleware(AgentService, max_concurrent=4)      # FastAPI, Starlette
    app = AgentService(app, max_concurrent=4)               # anything else that speaks ASGI

State, batching, pools and provider calls are beside it and work without it. On the way of every
request, so each line here is paid thousands of times a second: no tasks, locks or copies unless the
request has to wait.
"""

import asyncio
import os
from functools import partial
from http import HTTPStatus
from math import inf
from typing import Final

import prometheus_client
from prometheus_client import CollectorRegistry

from agentscaler import conventions
from agentscaler.clock import Clock, SystemClock
from agentscaler.runtime import asgi, load_report, metrics, refusals
from agentscaler.runtime.asgi import App, Header, Message, Receive, Scope, Send
from agentscaler.runtime.disconnects import ReadAhead
from agentscaler.runtime.draining import Drain, TerminationSignal
from agentscaler.runtime.errors import OverloadedError, ServiceError, ShuttingDownError
from agentscaler.runtime.identity import InstanceInfo, read_identity
from agentscaler.runtime.limits import ConcurrencyLimit, Place
from agentscaler.runtime.options import ServiceOptions
from agentscaler.runtime.probes import Probe, Probes
from agentscaler.runtime.replies import Reply

DEFAULTS: Final = ServiceOptions()

# One request in twenty is enough memory for an estimate that only feeds Retry-After.
_MEAN_WEIGHT: Final = 0.05

# A header is checked and written by the server like any other, which costs more than all else here;
# nobody who balances by load needs it more often.
_REPORT_EVERY_SECONDS: Final = 0.01

_COUNTED: Final = frozenset({"http", "websocket"})
_SERVER_ERROR: Final = 500
_CLOSE: Final[Header] = (b"connection", b"close")


class _ClientGoneError(Exception):
    """The client left while its request waited."""


class AgentService:
    """At most `max_concurrent` requests at once; others wait in line, in order and bounded."""

    def __init__(
        self,
        app: App,
        max_concurrent: int = 10,
        *,
        options: ServiceOptions = DEFAULTS,
        registry: CollectorRegistry = prometheus_client.REGISTRY,
        clock: Clock | None = None,
    ) -> None:
        self.app = app
        self.options = options
        self.identity = options.identity or read_identity(os.environ)
        self.limit = ConcurrencyLimit(max_concurrent, options.max_queued, options.max_wait_seconds)
        self._clock = clock or SystemClock()
        self._started_at = self._clock.now()
        self.drain = Drain(
            self.limit.idle,
            self._clock,
            delay_seconds=options.drain_delay_seconds,
            limit_seconds=options.drain_limit_seconds,
        )
        self._signal = TerminationSignal(self.drain)
        self._tally = metrics.export_requests(registry, self.identity, self.limit)
        self._probes = self._own_paths(registry)
        self._report = load_report.WRITERS[options.load_report]
        self._reported_at = -inf
        self._mean_seconds = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection scope, as ASGI has it."""
        kind = scope["type"]
        if kind == "http" and (probe := self._probes.get(asgi.path_of(scope))):
            await probe(scope, receive, send)
        elif kind in _COUNTED:
            self._tally.received += 1
            if not self.drain.refusing and self.limit.try_enter():
                self._tally.unwaited += 1
                await self._work(scope, receive, send)
            else:
                await self._admit_late(scope, receive, send)
        elif kind == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def info(self) -> InstanceInfo:
        """Tell what this instance can take now; a draining one has no capacity."""
        limit = self.limit
        return InstanceInfo(
            identity=self.identity,
            capacity=0 if self.drain.draining else limit.max_concurrent,
            load=limit.active + limit.queued,
            started_at=self._started_at,
            draining=self.drain.draining,
        )

    async def _admit_late(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request wait in line for its slot, if there is room and we are not leaving."""
        arrived = self._clock.monotonic()
        try:
            if self.drain.refusing:
                raise ShuttingDownError("this instance is shutting down")
            place = self.limit.line_up()
        except OverloadedError as full:
            await self._refuse(scope, send, full)
            return
        ahead = ReadAhead(receive, partial(self.limit.give_up, place, _ClientGoneError()))
        try:
            if await self._turn_comes(place, scope, send):
                ahead.stop_watching()
                self._tally.wait.observe(self._clock.monotonic() - arrived)
                await self._work(scope, ahead, send)
        finally:
            ahead.close()

    async def _turn_comes(self, place: Place, scope: Scope, send: Send) -> bool:
        try:
            await self.limit.turn(place)
        except OverloadedError as late:
            await self._refuse(scope, send, late)
            return False
        except _ClientGoneError:
            self._tally.ended[metrics.OUTCOME_CANCELLED] += 1
            return False
        except asyncio.CancelledError:
            self._tally.ended[metrics.OUTCOME_CANCELLED] += 1
            raise
        return True

    async def _work(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application in a slot that is already taken, and always give it back."""
        monotonic = self._clock.monotonic
        started = monotonic()
        outcome = conventions.OUTCOME_ERROR
        reply = Reply(scope, send, self._headers)
        scope["agentscaler"] = self
        try:
            await self.app(scope, receive, reply.send)
            outcome = reply.outcome
        except asyncio.CancelledError:
            outcome = metrics.OUTCOME_CANCELLED
            raise
        except ServiceError as error:
            status = refusals.status_of(error, self.options.overload_status)
            if reply.begun or status is None:
                raise
            if status < _SERVER_ERROR:
                outcome = conventions.OUTCOME_OK  # the caller's to react, as with any 4xx
            await self._answer(scope, send, status, str(error))
        finally:
            self.limit.leave()
            seconds = monotonic() - started
            self._mean_seconds += _MEAN_WEIGHT * (seconds - self._mean_seconds)
            self._tally.ended[outcome] += 1
            self._tally.duration.observe(seconds)

    async def _refuse(self, scope: Scope, send: Send, why: OverloadedError) -> None:
        self._tally.ended[metrics.OUTCOME_REJECTED] += 1
        await self._answer(scope, send, self.options.overload_status, str(why))

    async def _answer(self, scope: Scope, send: Send, status: int, text: str) -> None:
        """Answer in the application's place, so that the caller knows what to do."""
        headers = [*self._headers(scope)]
        if status in (self.options.overload_status, HTTPStatus.SERVICE_UNAVAILABLE):
            headers.append(refusals.retry_after(self._retry_after_seconds()))
        if scope["type"] == "websocket":
            await asgi.refuse_websocket(scope, send, status, text, headers)
        else:
            await asgi.answer_json(send, status, {"error": text}, headers)

    def _retry_after_seconds(self) -> int:
        limit = self.limit
        return refusals.retry_after_seconds(limit.queued, limit.max_concurrent, self._mean_seconds)

    def _headers(self, scope: Scope) -> tuple[Header, ...]:
        limit = self.limit
        if not self.drain.draining:
            now = self._clock.monotonic()
            if now - self._reported_at < _REPORT_EVERY_SECONDS:
                return ()
            self._reported_at = now
            return self._report(limit.active, limit.queued, limit.max_concurrent)
        report = self._report(limit.active, limit.queued, 0)
        return (*report, _CLOSE) if scope.get("http_version", "1.1") < "2" else report

    def _own_paths(self, registry: CollectorRegistry) -> dict[str | None, Probe]:
        probes = Probes(self.info, self.drain, registry)
        options = self.options
        paths: dict[str | None, Probe] = {
            options.health_path: probes.health,
            options.ready_path: probes.ready,
            options.metrics_path: probes.metrics,
            options.drain_path: probes.drain,
        }
        paths.pop(None, None)
        return paths

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the lifespan through; it is where the server's SIGTERM handler is in place."""
        if self.options.drain_on_sigterm:
            self._signal.install()

        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                self.drain.draining = True
                self._signal.restore()
            return message

        await self.app(scope, receiving, send)
