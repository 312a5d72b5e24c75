"""Which server is asked, as whom, and which is not asked at all."""

from collections.abc import Iterator

import pytest

from agentscaler.clock import SystemClock
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe.asks import Server
from agentscaler.observe.credentials import ANONYMOUS, Credentials
from agentscaler.observe.sources import NO_SECRETS, Settings, Sources

OWN, OTHER = "http://prometheus:9090", "http://thanos:9090"
OPERATORS = Credentials(token="the operator's")  # noqa: S106
TENANTS = Credentials(token="a tenant's")  # noqa: S106
SECRET = ("agents", "reader")


@pytest.fixture
def sources() -> Iterator[Sources]:
    settings = Settings(f"{OWN}/", OPERATORS, allowed=frozenset({f"{OTHER}/"}))
    found = Sources(settings, SystemClock())
    yield found
    found.close()


@pytest.mark.parametrize(
    ("server", "address", "credentials"),
    [
        pytest.param(Server(), OWN, OPERATORS, id="the operator's own"),
        pytest.param(Server(OWN), OWN, OPERATORS, id="the same by name"),
        pytest.param(Server(OTHER), OTHER, ANONYMOUS, id="another"),
        pytest.param(Server(OTHER, SECRET), OTHER, TENANTS, id="another with a Secret"),
        pytest.param(Server(None, SECRET), OWN, TENANTS, id="own with a Secret"),
    ],
)
def test_credentials_go_to_their_own_server_only(
    sources: Sources, server: Server, address: str, credentials: Credentials
) -> None:
    found = sources.find(server, {SECRET: TENANTS})
    assert not isinstance(found, Missing)
    assert (found[0].address, found[1]) == (address, credentials)


@pytest.mark.parametrize(
    ("server", "group"),
    [
        pytest.param(Server(), ("", False), id="the operator's own"),
        pytest.param(Server(OWN), ("", False), id="the same by name"),
        pytest.param(Server("http://not.allowed:9090"), ("", False), id="not allowed"),
        pytest.param(Server(None, SECRET), ("", True), id="own with a Secret"),
        pytest.param(Server(OTHER), (OTHER, False), id="another"),
    ],
)
def test_there_are_no_more_groups_than_servers_that_may_be_asked(
    sources: Sources, server: Server, group: tuple[str, bool]
) -> None:
    assert sources.group(server) == group


def test_server_is_opened_once_for_all(sources: Sources) -> None:
    first, second = sources.find(Server(), {}), sources.find(Server(OWN, SECRET), {SECRET: TENANTS})
    assert not isinstance(first, Missing)
    assert not isinstance(second, Missing)
    assert first[0] is second[0]
    assert list(sources.opened()) == [first[0]]


def test_address_that_is_not_allowed_is_not_asked(sources: Sources) -> None:
    found = sources.find(Server("http://169.254.169.254"), NO_SECRETS)
    assert isinstance(found, Missing)
    assert found.why is Why.NOT_ALLOWED
    assert "not on the operator's list of allowed addresses" in found.detail
    assert list(sources.opened()) == []


def test_missing_secret_is_named(sources: Sources) -> None:
    found = sources.find(Server(OTHER, SECRET), NO_SECRETS)
    assert isinstance(found, Missing)
    assert found.why is Why.NO_CREDENTIALS
    assert "agents/reader" in found.detail
