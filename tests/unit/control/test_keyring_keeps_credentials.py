"""Secrets are read once a minute, and one that cannot be used harms nobody else."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from agentscaler.api.policy import Policy
from agentscaler.control import keyring
from agentscaler.control.keyring import Keyring
from agentscaler.observe.credentials import Credentials, parse_credentials
from tests.fakes.apiserver import FakeApiServer, Fault
from tests.fakes.clocks import HandClock
from tests.fakes.connected import connected
from tests.unit.observe.worlds import policy

KEY = ("agents", "keys")


class Hall:
    """A keyring, and the server where the Secrets are."""

    def __init__(self, server: FakeApiServer, keyring: Keyring, clock: HandClock) -> None:
        self.server, self.keyring, self.clock = server, keyring, clock

    def put(self, token: str, name: str = "keys") -> None:
        data = {"token": base64.b64encode(token.encode()).decode()}
        self.server.objects.put(
            "secrets", {"metadata": {"namespace": "agents", "name": name}, "data": data}
        )

    async def tokens(self, *policies: Policy) -> dict[tuple[str, str], str]:
        found = await self.keyring.read(policies)
        return {key: credentials.token for key, credentials in found.items()}


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    async with connected(tmp_path) as (server, api):
        clock = HandClock()
        yield Hall(server, Keyring(api, clock), clock)


def keyed(name: str = "research", ref: str = "keys") -> Policy:
    return policy(name, prometheus={"authSecretRef": {"name": ref}})


async def test_secret_is_read_for_the_policy_that_names_it(hall: Hall) -> None:
    hall.put("sesame")
    assert await hall.tokens(keyed()) == {KEY: "sesame"}
    assert set(hall.keyring.known) == {KEY}


async def test_policies_without_a_secret_ask_nothing(hall: Hall) -> None:
    assert await hall.tokens(policy()) == {}
    assert hall.server.requests == []


async def test_secret_is_read_once_a_minute_for_all_who_name_it(hall: Hall) -> None:
    hall.put("old")
    await hall.tokens(keyed("a"), keyed("b"))
    hall.put("new")
    hall.clock.seconds += 60
    assert await hall.tokens(keyed("a")) == {KEY: "old"}
    assert hall.server.count("get", "secrets") == 1
    hall.clock.seconds += 0.1
    assert await hall.tokens(keyed("a")) == {KEY: "new"}
    assert hall.server.count("get", "secrets") == 2


async def test_secret_that_is_not_there_leaves_the_others_alone(hall: Hall) -> None:
    hall.put("sesame")
    assert await hall.tokens(keyed("a", "gone"), keyed("b")) == {KEY: "sesame"}


async def test_secret_that_makes_no_sense_has_no_credentials(hall: Hall) -> None:
    hall.put("two\nlines")
    assert await hall.tokens(keyed()) == {}


async def test_secret_that_cannot_even_be_judged_leaves_the_others_alone(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(secret: Mapping[str, bytes]) -> Credentials:
        if secret["token"] == b"broken":
            raise RuntimeError("broken on purpose")
        return parse_credentials(secret)

    monkeypatch.setattr(keyring, "parse_credentials", broken)
    hall.put("broken", "odd")
    hall.put("sesame")
    assert await hall.tokens(keyed("a", "odd"), keyed("b")) == {KEY: "sesame"}


async def test_secret_that_was_deleted_counts_no_more(hall: Hall) -> None:
    hall.put("sesame")
    await hall.tokens(keyed())
    hall.server.objects.remove("secrets", "agents", "keys")
    hall.clock.seconds += 61
    assert await hall.tokens(keyed()) == {}


async def test_secret_that_no_policy_names_any_more_is_forgotten(hall: Hall) -> None:
    hall.put("sesame")
    hall.put("other", "others")
    await hall.tokens(keyed("a"), keyed("b", "others"))
    for _ in range(2):
        hall.clock.seconds += 1801
        await hall.tokens(keyed("b", "others"))
    assert set(hall.keyring.known) == {("agents", "others")}


async def test_failing_server_makes_no_known_secret_unknown(hall: Hall) -> None:
    hall.put("sesame")
    await hall.tokens(keyed())
    hall.server.faults.append(Fault("get", "secrets", times=-1))
    hall.clock.seconds += 61
    assert await hall.tokens(keyed()) == {KEY: "sesame"}


async def test_secret_that_could_not_be_read_is_read_again_at_the_next_pass(hall: Hall) -> None:
    hall.put("sesame")
    hall.server.faults.append(Fault("get", "secrets"))
    assert await hall.tokens(keyed()) == {}
    assert await hall.tokens(keyed()) == {KEY: "sesame"}


async def test_hanging_server_is_waited_for_once_for_all_secrets(hall: Hall) -> None:
    """The connection of these tests gives a request half a second."""
    hall.server.faults.append(Fault("get", "secrets", times=-1, hang=True))
    began = asyncio.get_running_loop().time()
    assert await hall.tokens(*(keyed(f"p{n}", f"s{n}") for n in range(8))) == {}
    assert asyncio.get_running_loop().time() - began < 2
    hall.server.cut()
