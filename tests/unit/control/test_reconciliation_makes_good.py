"""What a watch has missed is found by comparing, and read."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from agentscaler import conventions
from agentscaler.act.client import Api
from agentscaler.control.reconciliation import Reconciler
from agentscaler.control.registry import Registry
from tests.fakes.apiserver import FakeApiServer, Fault
from tests.fakes.connected import connected, until
from tests.unit.control.bodies import NOON, body

PLURAL = conventions.PLURAL


class Turns:
    """A clock of which the test sees every pause; each ends at once, until there are no `more`."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.more = 1000
        self.over = asyncio.Event()
        self.meanwhile: Callable[[], object] = lambda: None

    def begin_anew(self) -> None:
        """Forget the pauses so far."""
        self.pauses.clear()
        self.over.clear()

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 1000.0 + sum(self.pauses)

    async def sleep(self, seconds: float) -> None:
        if len(self.pauses) >= self.more:
            self.over.set()
            await asyncio.Event().wait()
        self.pauses.append(seconds)
        self.meanwhile()
        await asyncio.sleep(0)


class Office:
    """A reconciler with its registry, beside the server it compares with."""

    def __init__(self, server: FakeApiServer, api: Api, *namespaces: str) -> None:
        self.server, self.registry, self.clock = server, Registry(), Turns()
        self.looked_at: set[str] = set()
        self.reconciler = Reconciler(
            api,
            self.registry,
            namespaces=namespaces,
            look_at=self.looked_at.update,
            clock=self.clock,
        )

    def put(self, name: str, *, namespace: str = "agents", **details: Any) -> dict[str, Any]:
        """Have a policy in the cluster, of which nobody tells."""
        made = body(name, **details)
        made["metadata"]["namespace"] = namespace
        return self.server.objects.put(PLURAL, made)

    def tell(self, name: str, **details: Any) -> None:
        """Have a policy in the cluster, of which the watch tells."""
        self.registry.note(None, self.put(name, **details))

    def forbid(self, namespace: str) -> None:
        """Take away the right to list the policies of a namespace."""
        self.faults("list", times=-1, status=403, namespace=namespace)

    def faults(self, verb: str, **details: Any) -> None:
        self.server.faults.append(Fault(verb, PLURAL, **details))


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with connected(tmp_path) as (server, api):
        yield Office(server, api)


@pytest.fixture
async def divided(tmp_path: Path) -> AsyncIterator[Office]:
    """One that follows two namespaces, each with a policy; in the first it may list nothing."""
    async with connected(tmp_path) as (server, api):
        office = Office(server, api, "gone", "agents")
        office.tell("known", namespace="gone")
        office.put("agent")
        office.forbid("gone")
        yield office


async def test_registry_that_knows_all_is_caught_up_at_once(office: Office) -> None:
    office.tell("a")
    office.tell("b")
    await office.reconciler.catch_up()
    assert office.clock.pauses == []
    assert office.server.requests == [("list", PLURAL)]


async def test_catching_up_waits_for_the_watch_first(office: Office) -> None:
    office.put("a")
    told = office.server.objects.get(PLURAL, "agents", "a")
    office.clock.meanwhile = lambda: office.registry.note(None, told)
    await office.reconciler.catch_up()
    assert office.server.count("get", PLURAL) == 0
    assert office.clock.pauses == [0.1]  # a start waits no longer than the watch takes


async def test_catching_up_lists_no_second_time_while_the_watch_has_yet_to_tell(
    office: Office,
) -> None:
    office.put("a")
    await office.reconciler.catch_up()
    assert len(office.clock.pauses) > 20
    assert office.server.count("list", PLURAL) == 2


async def test_catching_up_reads_what_the_watch_does_not_tell(office: Office) -> None:
    office.put("a")
    office.tell("b")
    office.server.objects.merge(PLURAL, ("agents", "b"), {"status": {"currentReplicas": 3}})
    await office.reconciler.catch_up()
    assert sum(office.clock.pauses) == pytest.approx(21, abs=0.2)
    assert office.server.count("get", PLURAL) == 2
    assert office.registry.find("agents/a") is not None
    recalled = office.registry.find("agents/b")
    assert recalled is not None
    assert recalled.replicas == 3


async def test_catching_up_goes_on_while_nothing_can_be_listed(office: Office) -> None:
    office.tell("a")
    office.faults("list", times=3)
    await office.reconciler.catch_up()
    assert office.clock.pauses == [1.0] * 3


async def test_catching_up_goes_on_while_nothing_can_be_read(office: Office) -> None:
    office.put("a")
    office.faults("get", times=2)
    await office.reconciler.catch_up()
    assert office.server.count("get", PLURAL) == 3
    assert office.looked_at == {"agents/a"}


async def compared(office: Office, times: int = 1) -> None:
    """Have the reconciler compare so many times, five minutes apart."""
    office.clock.more = times
    running = asyncio.create_task(office.reconciler.run())
    await until(office.clock.over.is_set)
    assert office.clock.pauses == [300.0] * times
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_deletion_that_was_missed_is_made_good(office: Office) -> None:
    office.tell("first")
    office.tell("second", minutes=1)
    office.server.objects.remove(PLURAL, "agents", "first")
    await compared(office)
    assert office.registry.find("agents/first") is None
    assert office.looked_at == {"agents/first", "agents/second"}


async def test_policy_and_change_that_were_missed_are_read(office: Office) -> None:
    office.put("new")
    office.tell("changed")
    office.put("changed", generation=2, maxReplicas=3)
    await compared(office)
    assert office.looked_at == {"agents/new", "agents/changed"}
    changed = office.registry.find("agents/changed")
    assert changed is not None
    assert changed.policy is not None
    assert changed.policy.spec.max_replicas == 3


async def test_namesake_of_a_deleted_policy_is_read(office: Office) -> None:
    office.tell("agent", uid="old")
    office.put("agent", uid="new")
    await compared(office)
    found = office.registry.find("agents/agent")
    assert found is not None
    assert found.uid == "new"


async def test_namesake_that_is_made_while_policies_are_listed_is_kept(office: Office) -> None:
    office.tell("agent", uid="old")
    office.server.objects.remove(PLURAL, "agents", "agent")

    def make_again(_verb: str, _what: str) -> None:
        office.registry.note("ADDED", body("agent", uid="new"))

    office.server.on_request = make_again
    await compared(office)
    found = office.registry.find("agents/agent")
    assert found is not None
    assert found.uid == "new"


async def test_status_that_was_written_since_wakes_nobody(office: Office) -> None:
    office.tell("agent")
    office.server.objects.merge(PLURAL, ("agents", "agent"), {"status": {"mode": "Auto"}})
    await compared(office)
    assert office.looked_at == set()


async def test_policy_that_goes_while_it_is_read_is_left_out(office: Office) -> None:
    office.put("a")
    office.faults("get", status=404)
    await compared(office)
    assert len(office.registry) == 0


async def test_failed_comparison_is_made_again(office: Office) -> None:
    office.put("a")
    office.faults("list")
    await compared(office, times=2)
    assert office.looked_at == {"agents/a"}


async def test_only_followed_namespaces_are_compared(tmp_path: Path) -> None:
    async with connected(tmp_path) as (server, api):
        elsewhere = body("a")
        elsewhere["metadata"]["namespace"] = "elsewhere"
        server.objects.put(PLURAL, elsewhere)
        registry = Registry()
        await Reconciler(
            api, registry, namespaces=["agents"], look_at=lambda _: None, clock=Turns()
        ).catch_up()
        assert len(registry) == 0


async def test_policies_of_other_shards_are_not_missed(office: Office) -> None:
    office.put("a")
    office.registry.confine("elsewhere".__eq__)
    await office.reconciler.catch_up()
    assert (len(office.registry), office.clock.pauses) == (0, [])


async def test_catching_up_does_not_wait_for_what_became_another_shard_meanwhile(
    office: Office,
) -> None:
    office.put("a")
    office.clock.meanwhile = lambda: office.registry.confine("elsewhere".__eq__)
    await office.reconciler.catch_up()
    assert sum(office.clock.pauses) < 2


async def test_namespace_that_may_not_be_listed_holds_up_no_other(divided: Office) -> None:
    await divided.reconciler.catch_up()
    assert divided.looked_at == {"agents/agent"}


async def test_what_is_known_of_a_namespace_that_may_not_be_listed_is_kept(divided: Office) -> None:
    divided.tell("left", minutes=1)
    divided.server.objects.remove(PLURAL, "agents", "left")
    await divided.reconciler.catch_up()
    assert {entry.key for entry in divided.registry} == {"gone/known", "agents/agent"}


async def test_namespace_that_may_be_listed_again_is_compared_again(divided: Office) -> None:
    await divided.reconciler.catch_up()
    divided.put("late", namespace="gone")
    divided.server.faults.clear()
    divided.clock.begin_anew()
    await compared(divided)
    assert divided.registry.find("gone/late") is not None


async def test_namespace_that_is_left_out_is_told_once_and_again_when_it_is_back(
    divided: Office,
) -> None:
    with capture_logs() as told:
        await compared(divided, times=3)
        divided.server.faults.clear()
        divided.clock.begin_anew()
        await compared(divided, times=2)
    said = [(line["event"], line["log_level"], line["namespace"]) for line in told]
    assert said == [
        ("namespace left out", "warning", "gone"),
        ("namespace followed again", "info", "gone"),
    ]
    assert "broken on purpose" in told[0]["error"]
    assert "Role" in told[0]["cure"]


async def test_catching_up_goes_on_while_no_namespace_may_be_listed(divided: Office) -> None:
    divided.faults("list", times=3, status=403, namespace="agents")
    await divided.reconciler.catch_up()
    assert divided.clock.pauses[:3] == [1.0] * 3
    assert divided.looked_at == {"agents/agent"}
