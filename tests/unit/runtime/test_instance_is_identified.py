"""Who an instance is and how much it can take."""

import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentscaler.runtime import identity
from agentscaler.runtime.identity import Identity, InstanceInfo, agent_of_pod, read_identity
from tests.unit.runtime.worlds import NOON, POD, Gate, World, settle


def info(capacity: int, load: int) -> InstanceInfo:
    return InstanceInfo(POD, capacity, load, NOON)


def test_identity_comes_from_the_names_that_are_set() -> None:
    seen = read_identity({"INSTANCE_ID": "a-1", "HOST": "10.1.2.3", "PORT": "9000"})
    assert (seen.instance_id, seen.host, seen.port) == ("a-1", "10.1.2.3", 9000)


def test_identity_comes_from_the_downward_api_in_a_cluster() -> None:
    seen = read_identity(
        {
            "POD_NAME": "research-agent-6f9d7c8b54-x2v9k",
            "POD_IP": "10.0.0.7",
            "POD_NAMESPACE": "agents",
            "HOST": "0.0.0.0",  # noqa: S104 - what a server binds is no address for others
        }
    )
    assert seen == Identity(
        instance_id="research-agent-6f9d7c8b54-x2v9k",
        host="10.0.0.7",
        port=8000,
        namespace="agents",
        agent="research-agent",
        pod="research-agent-6f9d7c8b54-x2v9k",
    )


def test_identity_falls_back_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "laptop")
    seen = read_identity({})
    assert seen == Identity("laptop", "127.0.0.1", 8000, "default", "laptop", "laptop")


def test_identity_reads_the_mounted_namespace(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mounted = tmp_path_factory.mktemp("account") / "namespace"
    mounted.write_text("agents\n")
    monkeypatch.setattr(identity, "_NAMESPACE_FILE", mounted)
    assert read_identity({}).namespace == "agents"


@pytest.mark.parametrize(
    ("pod", "agent"),
    [
        ("research-agent-6f9d7c8b54-x2v9k", "research-agent"),
        ("research-agent-12", "research-agent"),
        ("my-agent-tools", "my-agent-tools"),
        ("laptop", "laptop"),
    ],
    ids=["deployment", "statefulset", "bare pod", "no pod"],
)
def test_agent_is_the_workload_that_owns_the_pod(pod: str, agent: str) -> None:
    assert agent_of_pod(pod) == agent


def test_load_factor_is_one_at_no_capacity() -> None:
    assert info(0, 0).load_factor == 1.0
    assert info(0, 3).load_factor == 1.0


@given(capacity=st.integers(0, 100), load=st.integers(0, 1000))
def test_available_is_never_negative(capacity: int, load: int) -> None:
    seen = info(capacity, load)
    assert seen.available == max(0, capacity - load)
    assert seen.load_factor >= 0


async def test_started_at_stays_the_moment_of_the_start() -> None:
    world = World()
    world.clock.advance(3600)
    assert world.service.info().started_at == NOON
    assert world.clock.now() == NOON + timedelta(hours=1)


async def test_load_includes_the_line() -> None:
    gate = Gate()
    world = World(gate, max_concurrent=2)
    for _ in range(3):
        world.client().start()
    await settle()
    seen = world.service.info()
    assert (seen.load, seen.load_factor, seen.available) == (3, 1.5, 0)


async def test_application_finds_its_service_in_the_scope() -> None:
    world = World()
    client = await world.client().ask()
    assert client.scope["agentscaler"].info().capacity == 2


def test_info_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        info(1, 1).load = 0  # type: ignore[misc]
