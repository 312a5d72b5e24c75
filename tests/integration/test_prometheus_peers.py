"""A listed name that comes to mean this machine is not asked; an address that is listed is."""

import json
import socket
from typing import Any

import pytest

from agentscaler.api.policy import Policy
from agentscaler.clock import SystemClock
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe.observer import Observer
from agentscaler.observe.sources import Settings, Sources
from tests.fakes.faulty_prometheus import Request, serving
from tests.unit.observe.worlds import NOON, metric, policy

CLOCK = SystemClock()
NAME = "thanos.example"


def healthy(request: Request) -> None:
    request.result({"metric": {}, "value": [0, "7"]})


@pytest.fixture
def rebound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the name lead to the loopback, as its owner may at any time."""
    rebind(monkeypatch, "127.0.0.1")


def rebind(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    resolve = socket.getaddrinfo

    def lead_there(host: Any, *rest: Any, **options: Any) -> Any:
        return resolve(address if host == NAME else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lead_there)


def own_address() -> str:
    """Give the address that this machine is reached at by others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("203.0.113.9", 9))  # sends nothing
        except OSError:
            return "127.0.0.1"
        return str(one.getsockname()[0])


async def see(own: str, named: str) -> Any:
    settings = Settings(own, allowed=frozenset({named}))
    sources = Sources(settings, CLOCK)
    one = policy(metrics=[metric("m", "up")], prometheus={"serverAddress": named})
    seen = await Observer(sources, settings, CLOCK).observe([one], now=NOON)
    sources.close()
    return seen.readings[one.key].metrics["m"]


@pytest.mark.usefixtures("rebound")
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_name_that_leads_to_the_loopback_is_not_asked(scheme: str) -> None:
    with serving(healthy) as server:
        port = server.address.rpartition(":")[2]
        reading = await see("http://prometheus:9090", f"{scheme}://{NAME}:{port}")
        assert server.requests == []
    assert isinstance(reading, Missing)
    assert reading.why is Why.UNAVAILABLE
    assert "it leads to 127.0.0.1, a loopback address" in reading.detail


async def test_name_that_leads_to_the_operators_own_address_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = own_address()
    if address.startswith("127."):
        pytest.skip("this machine has no address but the loopback")
    rebind(monkeypatch, address)
    with socket.create_server((address, 0)) as listening:
        port = listening.getsockname()[1]
        reading = await see("http://prometheus:9090", f"http://{NAME}:{port}")
        with listening.accept()[0] as connected:
            assert connected.recv(1) == b"", "closed before anything was said"
    assert isinstance(reading, Missing)
    assert f"it leads to {address}, the operator's own address" in reading.detail


async def test_listed_address_is_asked() -> None:
    with serving(healthy) as server:
        assert await see("http://prometheus:9090", server.address) == 7.0


@pytest.mark.usefixtures("rebound")
async def test_the_operators_own_server_may_be_anywhere() -> None:
    with serving(healthy) as server:
        address = f"http://{NAME}:{server.address.rpartition(':')[2]}"
        assert await see(address, address) == 7.0


async def test_answer_to_a_users_query_is_bounded_and_spoils_no_other() -> None:
    series = {"metric": {"pod": "x" * 1000}, "value": [0, "7"]}

    def flooding(request: Request) -> None:
        floods = "flood" in request.asked["query"]
        request.result(*([series] * 1500 if floods else [{"metric": {}, "value": [0, "7"]}]))

    with serving(flooding) as server:
        settings = Settings(server.address)
        sources = Sources(settings, CLOCK)
        one = policy(metrics=[metric("m", "flood"), metric("n", "up")])
        seen = await Observer(sources, settings, CLOCK).observe([one], now=NOON)
        sources.close()
    found = seen.readings[one.key].metrics
    assert isinstance(found["m"], Missing)
    assert found["m"].why is Why.REFUSED
    assert "larger than 1048576 bytes" in found["m"].detail
    assert found["n"] == 7.0


def large(request: Request) -> None:
    """Give nine MiB, nearly all of it blanks."""
    body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}})
    request.answer((body + " " * 9 * 1024 * 1024).encode())


async def test_listed_server_may_answer_less_than_the_operators_own() -> None:
    with serving(large) as server:
        there = {"serverAddress": server.address}
        settings = Settings("http://prometheus:9090", allowed=frozenset({server.address}))
        listed = await signals_of(policy(prometheus=there), settings)
        own = await signals_of(policy(), Settings(server.address))
    assert {each.why for each in listed if isinstance(each, Missing)} == {Why.REFUSED}
    assert {each.why for each in own if isinstance(each, Missing)} == {Why.EMPTY}


async def signals_of(one: Policy, settings: Settings) -> list[Any]:
    sources = Sources(settings, CLOCK)
    seen = await Observer(sources, settings, CLOCK).observe([one], now=NOON)
    sources.close()
    return list(seen.readings[one.key].signals.values())
