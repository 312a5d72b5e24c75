"""One request sent to one backend and its answer streamed back, as fast as the client takes it."""

from http import HTTPStatus

import aiohttp
from aiohttp import web
from yarl import URL

from agentscaler.clock import Clock
from agentscaler.gateway import headers
from agentscaler.gateway.backends import Backend, Pool
from agentscaler.gateway.errors import BackendError, UnreachableError
from agentscaler.gateway.incoming import Incoming
from agentscaler.gateway.settings import TimeoutSettings
from agentscaler.gateway.upstreams import Upstreams, our_words, timeout_of


class Exchange:
    """One attempt; tells the pool how the backend fared."""

    def __init__(self, incoming: Incoming, pool: Pool, backend: Backend, clock: Clock) -> None:
        self._incoming = incoming
        self._pool = pool
        self._backend = backend
        self._clock = clock
        self._began_at = clock.monotonic()

    async def run(
        self, upstreams: Upstreams, timeouts: TimeoutSettings
    ) -> tuple[web.StreamResponse, bool]:
        """Send, and stream the answer back; tells also whether it is a whole and good one.

        Raises `BackendError` if there is no answer, which the pool has been told then.
        """
        answer: aiohttp.ClientResponse | None = None
        try:
            answer = await self._send(upstreams, timeouts)
            self._note_load(answer)
            response, whole = await self._pass_on(answer)
        except UnreachableError:
            raise  # it served nothing, so its record says nothing of it
        except BackendError:
            if is_there(self._incoming.request):  # else it was the client that broke the upload
                self._record(failed=True)
            raise
        except BaseException:  # the client went away
            if answer is None:
                self._record_given_up()
            raise
        else:
            self._record(failed=not whole or _is_failure(answer))
            return response, whole and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
        finally:
            if answer is not None:
                answer.release()  # one that is not read to its end closes its connection

    async def _send(
        self, upstreams: Upstreams, timeouts: TimeoutSettings
    ) -> aiohttp.ClientResponse:
        request = self._incoming.request
        session = upstreams.kept if self._incoming.may_be_repeated else upstreams.fresh
        with our_words(self._backend.name):
            return await session.request(
                request.method,
                url_at(self._backend, request),
                headers=headers.forwarded(
                    request.headers, client=request.remote or "", scheme=request.scheme
                ),
                data=self._incoming.body,
                allow_redirects=False,
                timeout=timeout_of(timeouts),
            )

    def _note_load(self, answer: aiohttp.ClientResponse) -> None:
        capacity = headers.reported_capacity(answer.headers.get(headers.LOAD_REPORT))
        if capacity is not None:
            self._pool.set_capacity(self._backend, capacity)

    async def _pass_on(self, answer: aiohttp.ClientResponse) -> tuple[web.StreamResponse, bool]:
        """Give the answer to the client; tells also whether it was whole."""
        passed = headers.end_to_end(answer.headers, (headers.LOAD_REPORT,))
        if answer.content.is_eof() and (body := answer.content.read_nowait()):
            # It is all there: head and body leave in one packet, for a send costs most of all.
            whole = web.Response(
                status=answer.status, reason=answer.reason, headers=passed, body=body
            )
            return whole, True
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=passed)
        return response, await self._stream(answer, response)

    async def _stream(self, answer: aiohttp.ClientResponse, response: web.StreamResponse) -> bool:
        """Pass on every piece when it comes; False if the backend went away in the middle."""
        request = self._incoming.request
        await response.prepare(request)
        while True:
            try:
                with our_words(self._backend.name):
                    piece = await answer.content.readany()
            except BackendError:
                # The client must see a broken answer, not a short one that looks whole.
                if request.transport is not None:
                    request.transport.abort()
                return False
            if not piece:
                break
            await response.write(piece)
        await response.write_eof()
        return True

    def _record(self, *, failed: bool) -> None:
        seconds = self._clock.monotonic() - self._began_at
        self._pool.record(self._backend, seconds, failed=failed)

    def _record_given_up(self) -> None:
        """Count a wait that was longer than usual: all that is heard of a backend that hangs."""
        seconds = self._clock.monotonic() - self._began_at
        if seconds >= (self._backend.mean_seconds or 0.0):
            self._pool.record(self._backend, seconds, failed=False)


def url_at(backend: Backend, request: web.BaseRequest) -> URL:
    """Give the address of what is asked at `backend`, exactly as the client wrote it."""
    target = request.raw_path
    if not target.startswith("/"):  # the absolute form, or the asterisk of OPTIONS
        target = request.rel_url.raw_path_qs
    return URL(f"{backend.url}{target}", encoded=True)


def is_there(request: web.BaseRequest) -> bool:
    """Tell whether the client is still connected."""
    return request.transport is not None and not request.transport.is_closing()


def _is_failure(answer: aiohttp.ClientResponse) -> bool:
    """Tell whether the backend is to blame; one that is busy and says so is well."""
    is_busy = answer.status == HTTPStatus.SERVICE_UNAVAILABLE and "retry-after" in answer.headers
    return answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not is_busy
