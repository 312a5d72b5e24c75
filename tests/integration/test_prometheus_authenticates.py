"""As whom a metrics server is asked, how it proves itself, and that no secret ever shows."""

import base64
import logging
import ssl
import tempfile
import traceback
from pathlib import Path

import pytest
import requests

from agentscaler.clock import SystemClock
from agentscaler.errors import BadResponseError, SourceUnavailableError
from agentscaler.observe import answers
from agentscaler.observe.credentials import Credentials, parse_credentials
from agentscaler.observe.prometheus import Caller, Prometheus
from agentscaler.observe.transport import BearerAuth
from tests.bed.certificates import Authority
from tests.fakes.faulty_prometheus import Request, serving

CLOCK = SystemClock()
SEVEN = {"metric": {}, "value": [0, "7"]}
SECRET = "s3cr3t-v4lue"  # noqa: S105


def healthy(request: Request) -> None:
    request.result(SEVEN)


async def ask(address: str, credentials: Credentials) -> object:
    prometheus = Prometheus(address, CLOCK)
    try:
        caller = Caller(CLOCK.monotonic() + 5, credentials)
        return (await prometheus.instant("up", caller, CLOCK.now(), answers.number_of)).content
    finally:
        prometheus.close()


async def headers_sent(credentials: Credentials) -> dict[str, str]:
    with serving(healthy) as server:
        assert await ask(server.address, credentials) == 7.0
        return server.requests[0][1]


async def test_bearer_token_is_sent() -> None:
    sent = await headers_sent(Credentials(token=SECRET))
    assert sent["Authorization"] == f"Bearer {SECRET}"


async def test_basic_credentials_are_sent_in_utf_8() -> None:
    sent = await headers_sent(Credentials(username="jürgen", password=SECRET))
    expected = base64.b64encode(f"jürgen:{SECRET}".encode()).decode()
    assert sent["Authorization"] == f"Basic {expected}"


async def test_tenant_is_sent() -> None:
    sent = await headers_sent(Credentials(tenant="team-a"))
    assert sent["X-Scope-OrgID"] == "team-a"
    assert "Authorization" not in sent


async def test_environment_replaces_no_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert "Authorization" not in await headers_sent(Credentials())


async def test_connection_of_one_tenant_serves_no_other() -> None:
    with serving(healthy) as server:
        prometheus = Prometheus(server.address, CLOCK, workers=1)
        for tenant in ("team-a", "team-b", "team-a"):
            caller = Caller(CLOCK.monotonic() + 5, Credentials(tenant=tenant))
            await prometheus.instant("up", caller, CLOCK.now(), answers.number_of)
        prometheus.close()
        assert [sent["X-Scope-OrgID"] for _, sent in server.requests] == [
            "team-a",
            "team-b",
            "team-a",
        ]


async def test_connections_of_outdated_credentials_are_closed() -> None:
    with serving(healthy) as server:
        prometheus = Prometheus(server.address, CLOCK, workers=1)
        for number in range(70):
            caller = Caller(CLOCK.monotonic() + 5, Credentials(token=f"token-{number}"))
            await prometheus.instant("up", caller, CLOCK.now(), answers.number_of)
        assert len(prometheus._opened) == 64
        prometheus.close()


class HandClock(SystemClock):
    """A monotonic clock that a test sets."""

    seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


def bearer_sent(auth: BearerAuth) -> str:
    request = requests.Request("GET", "http://127.0.0.1/").prepare()
    return auth(request).headers["Authorization"]


def test_token_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    file, clock = tmp_path / "token", HandClock()
    file.write_text("first\n")
    auth = BearerAuth(Credentials(token_file=file), clock)
    assert bearer_sent(auth) == "Bearer first"
    file.write_text("second\n")
    clock.seconds += 59
    assert bearer_sent(auth) == "Bearer first"
    clock.seconds += 1
    assert bearer_sent(auth) == "Bearer second"


async def test_missing_token_file_is_said(tmp_path: Path) -> None:
    with serving(healthy) as server, pytest.raises(SourceUnavailableError, match="No such file"):
        await ask(server.address, Credentials(token_file=tmp_path / "none"))


@pytest.mark.parametrize("part", ["token", "tenant"])
async def test_part_that_fits_into_no_header_is_not_shown(part: str) -> None:
    credentials = Credentials(**{part: f"{SECRET}\nsecond line"})  # type: ignore[arg-type]
    with serving(healthy) as server, pytest.raises(SourceUnavailableError) as raised:
        await ask(server.address, credentials)
    said = "".join(traceback.format_exception(raised.value))
    assert "line break" in said or "fit into no header" in said
    assert SECRET not in said


async def test_secrets_show_in_no_text_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    credentials = Credentials(
        token="", username="reader", password=SECRET, private_key=SECRET, authority=SECRET
    )
    assert SECRET not in repr(credentials)
    assert SECRET not in str(Credentials(token=SECRET))
    plain = Credentials(username="reader", password=SECRET)
    with (
        serving(lambda request: request.refuse(401, "auth", "no")) as server,
        pytest.raises(SourceUnavailableError, match="refuses the credentials") as raised,
    ):
        await ask(server.address, plain)
    encoded = base64.b64encode(f"reader:{SECRET}".encode()).decode()
    for text in (str(raised.value), caplog.text):
        assert SECRET not in text
        assert encoded not in text


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "metrics-ca", CLOCK.now())


def server_side(authority: Authority, *, clients: bool = False) -> ssl.SSLContext:
    pair = authority.issue_server("prometheus")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.public, pair.key)
    if clients:
        context.load_verify_locations(authority.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_server_of_an_own_authority_is_trusted(authority: Authority) -> None:
    with serving(healthy, server_side(authority)) as server:
        credentials = Credentials(authority=authority.certificate.read_text())
        assert await ask(server.address, credentials) == 7.0


@pytest.mark.parametrize("other", [True, False], ids=["another authority", "public authorities"])
async def test_server_of_an_unknown_authority_is_refused(
    authority: Authority, tmp_path: Path, *, other: bool
) -> None:
    stranger = Authority(tmp_path, "stranger", CLOCK.now())
    credentials = Credentials(authority=stranger.certificate.read_text() if other else "")
    with serving(healthy, server_side(authority)) as server:
        with pytest.raises(SourceUnavailableError, match="certificate verify failed"):
            await ask(server.address, credentials)
        assert server.requests == []


async def test_client_certificate_is_shown(authority: Authority) -> None:
    pair = authority.issue_client("agentscaler")
    credentials = parse_credentials(
        {
            "ca.crt": authority.certificate.read_bytes(),
            "tls.crt": pair.public.read_bytes(),
            "tls.key": pair.key.read_bytes(),
        }
    )
    with serving(healthy, server_side(authority, clients=True)) as server:
        assert await ask(server.address, credentials) == 7.0


async def test_server_that_wants_a_client_certificate_refuses_without(
    authority: Authority,
) -> None:
    credentials = Credentials(authority=authority.certificate.read_text())
    with serving(healthy, server_side(authority, clients=True)) as server:
        with pytest.raises((SourceUnavailableError, BadResponseError)):
            await ask(server.address, credentials)
        assert server.requests == []


async def test_private_key_stays_in_no_file(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    pair = authority.issue_client("agentscaler")
    parse_credentials({"tls.crt": pair.public.read_bytes(), "tls.key": pair.key.read_bytes()})
    assert list(folder.iterdir()) == []


async def test_unusable_certificate_is_said() -> None:
    with serving(healthy) as server, pytest.raises(SourceUnavailableError, match=r"ca\.crt"):
        await ask(server.address, Credentials(authority="no certificate"))
