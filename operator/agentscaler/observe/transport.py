"""HTTP as the Prometheus client needs it: bounded in time and size, no retries, no redirects."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3 import Retry

from agentscaler.clock import Clock
from agentscaler.errors import BadResponseError, SourceTimeoutError, SourceUnavailableError
from agentscaler.observe.credentials import Credentials, tls_context
from agentscaler.observe.peers import POOLS

TENANT_HEADER: Final = "X-Scope-OrgID"
NO_RETRY: Final = Retry(total=0)  # the next pass is the retry; Retry-After could hold us for hours
# Read, an answer takes 8 times its size, on four threads at once. 16 MiB are some 140,000 agents'
# answers to one question; others than the operator's own server get half of that.
MOST_BYTES: Final = 16 * 1024 * 1024
MOST_GUARDED_BYTES: Final = MOST_BYTES // 2
# Who is there takes a connection within milliseconds; it is the answer that may need time.
CONNECT_SECONDS: Final = 3.0
_TOKEN_SECONDS: Final = 60.0
_CHUNK_BYTES: Final = 256 * 1024


class TooLargeError(BadResponseError):
    """An answer beyond the size that is taken in."""


@dataclass(slots=True)
class Exchange:
    """The last response of a session: what the client library drops of it.

    `most_bytes` is the size that the next response may have.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    most_bytes: int = MOST_BYTES

    def note(self, response: requests.Response, **_: Any) -> None:
        """Keep a response, without the credentials that it may repeat; a hook of the session."""
        self.status, self.headers = response.status_code, response.headers
        sent = response.request.headers.get("Authorization", "").partition(" ")[2]
        self.body = response.content
        if sent:
            self.body = self.body.replace(sent.encode(), b"[credentials]")

    def clear(self) -> None:
        """Let go of the response: bodies are large and connections live long."""
        self.status, self.headers, self.body = 0, {}, b""


def open_session(credentials: Credentials, exchange: Exchange, clock: Clock) -> requests.Session:
    """Open a session that asks as `credentials`; raise ValueError if they make no sense."""
    session = requests.Session()
    session.trust_env = False  # ~/.netrc and proxy variables could replace the credentials
    session.max_redirects = 0
    session.auth = _auth_of(credentials, clock)
    if credentials.tenant:
        session.headers[TENANT_HEADER] = credentials.tenant
    session.hooks["response"].append(exchange.note)
    return session


def _auth_of(credentials: Credentials, clock: Clock) -> AuthBase | None:
    if credentials.token or credentials.token_file:
        return BearerAuth(credentials, clock)
    if credentials.username:
        return HTTPBasicAuth(credentials.username.encode(), credentials.password.encode())
    return None


class BearerAuth(AuthBase):
    """A bearer token; one that is kept in a file is read again every minute."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._file = credentials.token_file
        self._token = credentials.token
        self._clock = clock
        self._read_at = -_TOKEN_SECONDS

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        now = self._clock.monotonic()
        if self._file is not None and now - self._read_at >= _TOKEN_SECONDS:
            self._token, self._read_at = self._file.read_text().strip(), now
        if not self._token.isprintable():  # the library would refuse it, and show it
            raise SourceUnavailableError("the token has a line break in it")
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class BoundedAdapter(HTTPAdapter):
    """Send a request and take in its whole answer, within its timeout and a size.

    The usual timeout is for each read of the socket: a server that drips a byte per second holds
    a call of "2 seconds" for ever.
    """

    def __init__(
        self, credentials: Credentials, clock: Clock, exchange: Exchange, *, guarded: bool
    ) -> None:
        self._tls = tls_context(credentials)
        self._clock = clock
        self._exchange = exchange
        self._guarded = guarded
        super().__init__(max_retries=NO_RETRY)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        if self._guarded:
            self.poolmanager.pool_classes_by_scheme = POOLS

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the context as it is: the library would add all public authorities to ours."""
        if self._tls is None:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        seconds = kwargs["timeout"]
        ends = self._clock.monotonic() + seconds
        kwargs["timeout"] = min(CONNECT_SECONDS, seconds), seconds
        try:
            response = super().send(request, *args, **kwargs)
        except requests.ConnectTimeout as exc:
            if seconds >= CONNECT_SECONDS:
                raise
            # Cut short by the caller's deadline, it does not tell that nobody is there.
            raise SourceTimeoutError("too little time was left for a connection") from exc
        try:
            body = self._take_in(response, ends)
        except BaseException:
            response.close()
            raise
        response.raw = io.BytesIO(body)
        return response

    def _take_in(self, response: requests.Response, ends: float) -> bytes:
        body, most = bytearray(), self._exchange.most_bytes
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > most:
                raise TooLargeError(f"the answer is larger than {most} bytes")
            if self._clock.monotonic() >= ends:
                raise SourceTimeoutError("the answer did not arrive in time")
        return bytes(body)
