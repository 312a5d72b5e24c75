"""Passes as a whole: one moment, one deadline, and servers that do not know of each other."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from agentscaler.api.signals import SignalName
from agentscaler.clock import SystemClock
from agentscaler.decide.snapshot import Missing, Why
from agentscaler.observe.credentials import Credentials
from agentscaler.observe.observer import Observer
from agentscaler.observe.readings import Readings
from agentscaler.observe.sources import Settings, Sources
from agentscaler.observe.tenancy import TRUSTING
from tests.fakes.faulty_prometheus import Request, serving
from tests.unit.observe.worlds import metric, policy

CLOCK = SystemClock()
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
OURS = {"metric": {"namespace": "agents", "agent": "research"}, "value": [0, "7"]}


@asynccontextmanager
async def observing(
    address: str, *, seconds: float = 10, allowed: frozenset[str] = frozenset()
) -> AsyncIterator[Observer]:
    deadline = timedelta(seconds=seconds)
    settings = Settings(address, allowed=allowed, deadline=deadline, tenancy=TRUSTING)
    sources = Sources(settings, CLOCK)
    yield Observer(sources, settings, CLOCK)
    sources.close()


def healthy(request: Request) -> None:
    request.result(OURS)


def silent(request: Request) -> None:
    request.server.ended.wait(30)


def whys_of(readings: Readings) -> set[Why | None]:
    return {
        reading.why if isinstance(reading, Missing) else None
        for part in (readings.signals, readings.metrics, readings.gates)
        for reading in part.values()
    }


async def test_all_queries_of_a_pass_are_as_of_one_moment() -> None:
    with serving(healthy) as server:
        async with observing(server.address) as observer:
            await observer.observe([policy("research")], now=NOON)
        moments = {path.partition("&time=")[2].partition("&")[0] for path, _ in server.requests}
    assert moments == {str(NOON.timestamp())}


async def test_pass_ends_at_its_deadline_and_other_servers_are_seen() -> None:
    """A hundred queries to a server that says nothing do not wait for one another."""
    queries = [
        policy(f"blind-{n}", metrics=[metric("m", f"odd_{n}(up)")], prometheus={})
        for n in range(99)
    ]
    with serving(silent) as dead, serving(healthy) as alive:
        there = {"serverAddress": alive.address}
        allowed = frozenset({alive.address})
        async with observing(dead.address, seconds=2, allowed=allowed) as observer:
            began = time.monotonic()
            seen = await observer.observe(
                [*queries, policy("research", prometheus=there)], now=NOON
            )
            took = time.monotonic() - began
            dead.ended.set()
    assert took < 10
    assert seen.readings["agents/research"].signals[SignalName.QUEUE_DEPTH] == 7
    assert {why for one in queries for why in whys_of(seen.readings[one.key])} == {Why.TIMEOUT}


async def test_pass_after_a_silent_one_sees_again() -> None:
    def late(request: Request) -> None:
        if len(request.server.requests) <= 4:
            request.server.ended.wait(0.7)
        request.result(OURS)

    with serving(late) as server:
        async with observing(server.address, seconds=0.4) as observer:
            first = await observer.observe([policy("research")], now=NOON)
            assert Why.TIMEOUT in whys_of(first.readings["agents/research"])
        async with observing(server.address) as observer:
            second = await observer.observe([policy("research")], now=NOON)
    assert whys_of(second.readings["agents/research"]) == {None}


async def test_partial_answer_is_told_to_those_who_asked() -> None:
    def partial(request: Request) -> None:
        warned: dict[str, Any] = {"warnings": ["store-3: connection refused"]}
        request.result(OURS, **(warned if "agent_queue_depth" in request.path else {}))

    with serving(partial) as server:
        async with observing(server.address) as observer:
            policies = [policy("research"), policy("own", metrics=[metric("m", "vector(1)")])]
            seen = await observer.observe(policies, now=NOON)
    assert seen.readings["agents/research"].partial == "store-3: connection refused"
    assert seen.readings["agents/own"].partial == ""


async def test_changed_policy_is_asked_anew_and_an_old_one_forgotten() -> None:
    with serving(healthy) as server:
        async with observing(server.address) as observer:
            old, new = policy("research"), policy("research", metrics=[metric("m", "vector(1)")])
            await observer.observe([old], now=NOON)
            seen = await observer.observe([new], now=NOON)
            assert seen.readings[new.key].metrics == {"m": 7.0}
            assert seen.queries == 1
            observer.forget(new.key)
            observer.forget(new.key)
            assert (await observer.observe([old], now=NOON)).queries == 7


async def test_address_that_is_not_allowed_makes_its_policy_blind() -> None:
    foreign = policy("foreign", prometheus={"serverAddress": "http://169.254.169.254"})
    with serving(healthy) as server:
        async with observing(server.address) as observer:
            seen = await observer.observe([foreign], now=NOON)
        assert server.requests == []
    assert whys_of(seen.readings[foreign.key]) == {Why.NOT_ALLOWED}
    assert seen.queries == 0


async def test_credentials_of_a_secret_go_with_the_queries_of_its_policy() -> None:
    ref = {"authSecretRef": {"name": "reader"}}
    secrets = {("agents", "reader"): Credentials(tenant="team-a")}
    with serving(healthy) as server:
        async with observing(server.address) as observer:
            policies = [policy("research", prometheus=ref), policy("plain")]
            seen = await observer.observe(policies, now=NOON, secrets=secrets)
        tenants = [sent.get("X-Scope-OrgID") for _, sent in server.requests]
    assert sorted(tenants, key=str) == [None] * 7 + ["team-a"] * 7
    assert seen.queries == 14
    assert whys_of(seen.readings["agents/research"]) == {None}


async def test_observations_at_once_count_each_query_once() -> None:
    ref = {"authSecretRef": {"name": "reader"}}
    secrets = {("agents", "reader"): Credentials(tenant="team-a")}
    with serving(healthy) as server:
        async with observing(server.address) as observer:
            seen = await asyncio.gather(
                observer.observe([policy("research", prometheus=ref)], now=NOON, secrets=secrets),
                observer.observe([policy("plain")], now=NOON),
            )
        assert sum(each.queries for each in seen) == len(server.requests) == 14


async def test_nothing_due_asks_nothing() -> None:
    async with observing("http://127.0.0.1:1") as observer:
        seen = await observer.observe([], now=NOON)
    assert (dict(seen.readings), seen.queries) == ({}, 0)
