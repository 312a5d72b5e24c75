"""The connection to the API server: paths and plain JSON in, plain JSON or our errors out.

Whoever knows what a Deployment or a Lease looks like lives in another module. The client library
gives configuration, tokens and transport; its models are left aside, for an operator that reads
ten thousand objects has no use for ten thousand models.
"""

import asyncio
import json
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import aiohttp
from kubernetes.aio import client

from agentscaler import __version__, conventions
from agentscaler.act import login
from agentscaler.act.calls import APPLY_PATCH, JSON, MERGE_PATCH, Body, Call
from agentscaler.act.failures import our_words, refusal, wait_asked_for
from agentscaler.act.login import Login
from agentscaler.act.places import Kind, Place, Resource
from agentscaler.act.throttle import Throttle
from agentscaler.clock import Clock, SystemClock
from agentscaler.errors import LeadershipLostError, UsageError

PAGE_SIZE: Final = 500
_RETRIES: Final = 2
_RENEWAL_PAUSE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the API server one connection takes, and for how long it waits.

    `timeout_seconds` bounds one request on the wire, `watch_seconds` one watch; a watch on which
    nothing at all came for `silence_seconds` is dead (the server sends a bookmark every minute).
    """

    concurrency: int = 32
    per_second: float = 50.0
    burst: int = 100
    timeout_seconds: float = 10.0
    watch_seconds: int = 300
    silence_seconds: float = 70.0


class Api:
    """One connection to one API server; `connect` makes it, `close` ends it.

    `requests` counts what was sent, by verb and resource as RBAC rules name them:
    ("patch", "deployments/scale"). `scalable` is what discovery has told so far.
    `may_write` is asked right before each write leaves, after all other waiting; it may take its
    time to answer. `manager` is noted as the writer in the managed fields.
    """

    def __init__(
        self,
        settings: client.Configuration,
        *,
        kubeconfig: Path | None,
        clock: Clock,
        limits: Limits,
        may_write: Callable[[], Awaitable[bool]],
        manager: str,
    ) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        self.scalable: dict[Kind, Resource] = {}
        self.limits = limits
        self._settings = settings
        self._kubeconfig = kubeconfig
        self._clock = clock
        self._may_write = may_write
        self._manager = manager
        self._throttle = Throttle(clock, per_second=limits.per_second, burst=limits.burst)
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._renewing = asyncio.Lock()
        self._renewed_at = float("-inf")
        self._client = client.ApiClient(settings)
        self._client.user_agent = f"{conventions.FIELD_MANAGER}/{__version__}"

    @property
    def throttled_seconds(self) -> float:
        """Tell how long all requests together have waited for our own limit so far."""
        return self._throttle.waited_seconds

    async def close(self) -> None:
        """End all connections; watches under way fail."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def login(self) -> Login:
        """Read the credentials anew and tell them, for whoever else watches this cluster."""
        await login.load(self._settings, self._kubeconfig)
        return await login.login_of(self._settings)

    async def right_to_write(self, doing: str) -> None:
        """Wait until a write may leave; raise LeadershipLostError if none may any more."""
        if not await self._may_write():
            raise LeadershipLostError(f"{doing}: another replica may be writing")

    async def get(self, place: Place) -> Body:
        """Read one object."""
        return await self._ask("get", place)

    async def create(self, place: Place, body: Body) -> Body:
        """Add an object to the collection at `place`; ConflictError if it exists."""
        return await self._ask("create", place, body=body)

    async def update(self, place: Place, body: Body) -> Body:
        """Replace an object; ConflictError if `body` is not based on its present version."""
        return await self._ask("update", place, body=body)

    async def patch(self, place: Place, body: Body, *, accept: str = JSON) -> Body:
        """Merge `body` into an object: None removes a field, lists are replaced as a whole.

        With `metadata.resourceVersion` in the body: ConflictError if that is not the present one.
        """
        return await self._ask("patch", place, body=body, content=MERGE_PATCH, accept=accept)

    async def apply(self, place: Place, body: Body) -> Body:
        """Make the fields in `body` ours, with these values, whoever held them before.

        Guarded by `metadata.resourceVersion` as `patch` is; RBAC calls this "patch", too.
        """
        return await self._ask("patch", place, body=body, content=APPLY_PATCH)

    async def list_pages(
        self, place: Place, *, accept: str = JSON, labels: str = ""
    ) -> AsyncIterator[Body]:
        """Read a collection, PAGE_SIZE objects at a time; ExpiredError if it took too long.

        `labels` is a selector of objects, as "app=agent".
        """
        params = {"limit": str(PAGE_SIZE)}
        if labels:
            params["labelSelector"] = labels
        while True:
            page = await self._ask("list", place, params=params, accept=accept)
            yield page
            onward = page.get("metadata", {}).get("continue")
            if not onward:
                return
            params["continue"] = onward

    @asynccontextmanager
    async def watch(self, place: Place, since: str) -> AsyncIterator[AsyncIterator[Body]]:
        """Open the stream of changes after version `since`; the server ends it in its time."""
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(self.limits.watch_seconds),
        }
        patience = aiohttp.ClientTimeout(
            total=self.limits.watch_seconds + self.limits.timeout_seconds,
            sock_connect=self.limits.timeout_seconds,
            sock_read=self.limits.silence_seconds,
        )
        call = Call("watch", place, params=params)
        response = await self._open(call, patience)
        try:
            yield _lines(response, call.doing)
        finally:
            _cut(response)

    async def _ask(self, verb: str, place: Place, **details: Any) -> Body:
        call = Call(verb, place, manager=self._manager, **details)
        async with self._slots:
            response = await self._open(
                call,
                # By default aiohttp rounds five seconds and more up to the next whole one.
                aiohttp.ClientTimeout(total=self.limits.timeout_seconds, ceil_threshold=math.inf),
            )
            with our_words(call.doing):
                answer: Body = json.loads(await response.read())
                return answer

    async def _open(self, call: Call, patience: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        """Send until an answer comes that is no excuse; raise what it refuses with."""
        retries_left = _RETRIES
        while True:
            await self._throttle.turn()
            if call.writes:
                await self.right_to_write(call.doing)
            self.requests[call.verb, call.place.what] += 1
            with our_words(call.doing):
                response = await self._send(call, patience)
                if response.status < HTTPStatus.BAD_REQUEST:
                    return response
                said = await response.read()
            if not retries_left or not await self._amended(response):
                raise refusal(response.status, said)
            retries_left -= 1

    async def _send(self, call: Call, patience: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        serialized = await self._client.param_serialize(
            call.method,
            call.place.path,
            query_params=call.query,
            header_params=call.headers,
            body=call.body,
            auth_settings=["BearerToken"],
        )
        answer = await self._client.call_api(*serialized, _request_timeout=patience)
        response: aiohttp.ClientResponse = answer.response
        return response

    async def _amended(self, response: aiohttp.ClientResponse) -> bool:
        """Do what the answer asks for; tell whether the request is worth sending again."""
        if response.status == HTTPStatus.UNAUTHORIZED:
            return await self._renewed()
        wait = wait_asked_for(response.status, response.headers)
        if wait is not None:
            await self._clock.sleep(wait)
        return wait is not None

    async def _renewed(self) -> bool:
        """Read the credentials anew, once for all requests that were refused at the same time."""
        async with self._renewing:
            now = self._clock.monotonic()
            if now - self._renewed_at >= _RENEWAL_PAUSE_SECONDS:
                self._renewed_at = now
                try:
                    await login.load(self._settings, self._kubeconfig)
                except UsageError:
                    return False
            return True


def _cut(response: aiohttp.ClientResponse) -> None:
    """End a stream at once; a goodbye by TLS would keep its socket open for seconds."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()
    response.close()


async def _lines(response: aiohttp.ClientResponse, doing: str) -> AsyncIterator[Body]:
    with our_words(doing):
        async for line in response.content:
            yield json.loads(line)


async def _always() -> bool:
    return True


async def connect(
    kubeconfig: Path | None = None,
    *,
    clock: Clock | None = None,
    limits: Limits | None = None,
    may_write: Callable[[], Awaitable[bool]] = _always,
    manager: str = conventions.FIELD_MANAGER,
) -> Api:
    """Find the cluster (see `login.load`) and connect to it; nothing is asked of it yet."""
    settings = client.Configuration()
    limits = limits or Limits()
    await login.load(settings, kubeconfig)
    settings.connection_pool_maxsize = 0  # watches stay open; `concurrency` bounds all else
    # The environment's proxies and ~/.netrc would be read in a thread before every request, and
    # the latter could replace our token; a proxy can be named in the kubeconfig.
    settings.client_session_kwargs = {"trust_env": False, "cookie_jar": aiohttp.DummyCookieJar()}
    return Api(
        settings,
        kubeconfig=kubeconfig,
        clock=clock or SystemClock(),
        limits=limits,
        may_write=may_write,
        manager=manager,
    )
