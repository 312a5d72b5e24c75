"""What the API server asks before it stores a policy: the linter's answer, at `kubectl apply`.

The rules of the CRD refuse without this what a schema can see. The linter sees more: schedules,
time zones, what two fields say together, queries that give no number. Its errors refuse the policy,
its warnings are shown by kubectl.
"""

import asyncio
import ssl
import textwrap
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from aiohttp import web

from agentscaler import promql
from agentscaler.analyze import linting
from agentscaler.analyze.linting import Severity
from agentscaler.clock import Clock
from agentscaler.errors import UsageError

Remarks: TypeAlias = Callable[[Mapping[str, Any]], Iterable[str]]
"""Gives what there is to say of a policy that does not depend on it alone."""

PATH: Final = "/validate"
_UNPROCESSABLE: Final = 422
_LONGEST_WARNING: Final = 256  # the API server may cut what is longer, in the middle of a word
# The status is ours, and may be that of a newer operator.
_JUDGED: Final = ("apiVersion", "kind", "metadata", "spec")
_AT_ONCE: Final = 8  # more are not judged: the API server goes by its failure policy
# The API server sends a policy at once. Whoever does not, or holds many, keeps nobody else waiting.
_READ_SECONDS: Final = 2.0
_READ_AT_ONCE: Final = 64  # of a MiB at most each
_RENEW_SECONDS: Final = 60.0
_VERSION: Final = "admission.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the API server asks: an address, and a folder with tls.crt and tls.key."""

    host: str
    port: int
    certificate: Path


@asynccontextmanager
async def serving(desk: Desk, remarks: Remarks, clock: Clock) -> AsyncIterator[int]:
    """Answer as long as the context lasts; give the port.

    Raise UsageError if the certificate cannot be read or the address not be listened on.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load(context, desk.certificate)
    app = web.Application()
    app.router.add_post(PATH, _handler(remarks, clock))
    runner = web.AppRunner(app, access_log=None, lingering_time=0.0)
    await runner.setup()
    renewing = asyncio.create_task(_renew(context, desk.certificate, clock))
    try:
        try:
            await web.TCPSite(runner, desk.host, desk.port, ssl_context=context).start()
        except OSError as exc:
            said = exc.strerror or exc
            raise UsageError(f"cannot listen on {desk.host}:{desk.port}: {said}") from exc
        yield runner.addresses[0][1]
    finally:
        renewing.cancel()
        await runner.cleanup()


async def review(request: Mapping[str, Any], remarks: Remarks, clock: Clock) -> dict[str, Any]:
    """Answer one request of an AdmissionReview; a policy whose spec stays is never refused.

    Judged in a thread: a policy with twenty long queries takes seconds of CPU, and the same process
    has a Lease to renew.
    """
    policy, before = request["object"], request.get("oldObject") or {}
    answer: dict[str, Any] = {"uid": request["uid"], "allowed": True}
    if policy.get("spec") == before.get("spec") and before:
        return answer
    found = await asyncio.to_thread(
        linting.check,
        {name: policy[name] for name in _JUDGED if name in policy},
        now=clock.now(),
        judge_query=promql.problem_of,
        is_pruned=True,
    )
    errors = [str(problem) for severity, problem in found if severity is Severity.ERROR]
    if errors:
        status = {"code": _UNPROCESSABLE, "reason": "Invalid", "message": "; ".join(errors)}
        return {**answer, "allowed": False, "status": status}
    warnings = [*(str(problem) for _, problem in found), *remarks(policy)]
    return {**answer, "warnings": [_short(each) for each in warnings]}


def _short(warning: str) -> str:
    return textwrap.shorten(warning, _LONGEST_WARNING, placeholder=" ...")


class _Bodies:
    """What is being read: each for a short time, and the oldest is given up for one too many."""

    def __init__(self) -> None:
        self._reading: deque[asyncio.Timeout] = deque()

    async def read(self, asked: web.Request) -> None:
        """Have the request keep its body; answer it that it takes too long."""
        try:
            async with asyncio.timeout(_READ_SECONDS) as limit:
                self._enter(limit)
                await asked.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        finally:
            with suppress(ValueError):  # given up for another
                self._reading.remove(limit)

    def _enter(self, limit: asyncio.Timeout) -> None:
        self._reading.append(limit)
        if len(self._reading) > _READ_AT_ONCE:
            oldest = self._reading.popleft()
            if not oldest.expired():
                oldest.reschedule(0.0)


def _handler(remarks: Remarks, clock: Clock) -> Callable[[web.Request], Any]:
    turn, waiting, bodies = asyncio.Lock(), 0, _Bodies()

    async def validate(asked: web.Request) -> web.Response:
        nonlocal waiting
        await bodies.read(asked)
        if waiting >= _AT_ONCE:
            raise web.HTTPServiceUnavailable
        waiting += 1
        try:
            async with turn:
                body = await asked.json()
                response = await review(body["request"], remarks, clock)
        finally:
            waiting -= 1
        return web.json_response(
            {"apiVersion": _VERSION, "kind": "AdmissionReview", "response": response}
        )

    return validate


async def _renew(context: ssl.SSLContext, certificate: Path, clock: Clock) -> None:
    """Take up a certificate that was renewed; one that is half written is read a minute later."""
    while True:
        await clock.sleep(_RENEW_SECONDS)
        try:
            _load(context, certificate)
        except UsageError:
            continue


def _load(context: ssl.SSLContext, certificate: Path) -> None:
    pair = certificate / "tls.crt", certificate / "tls.key"
    try:
        # First into one that nobody uses: a pair that does not match would take the old one away.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*pair)
        context.load_cert_chain(*pair)
    except OSError as exc:  # ssl.SSLError is one
        raise UsageError(f"no certificate in {certificate}: {exc}") from exc
