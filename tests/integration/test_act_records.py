"""Single reads and writes: scales, Leases, status, policies, Events, credentials."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentscaler.act.client import Api
from agentscaler.act.credentials import read_secret
from agentscaler.act.events import post_event
from agentscaler.act.leases import Lease, list_leases, read_lease, write_lease
from agentscaler.act.policies import PolicyVersion, list_policies, read_policy
from agentscaler.act.scale import patch_replicas, read_scale
from agentscaler.act.statuses import patch_status
from agentscaler.api.policy import ScaleTargetRef
from agentscaler.conventions import SHARDS_LABEL
from agentscaler.errors import ConflictError, NotFoundError
from tests.fakes.apiserver import FakeApiServer, Fault
from tests.fakes.connected import connected

Pair = tuple[FakeApiServer, Api]
AGENT = ScaleTargetRef(name="agent")
FLEET = ScaleTargetRef(api_version="example.dev/v1", kind="Fleet", name="agent")
NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with connected(tmp_path) as (server, api):
        yield server, api


def named(name: str, **parts: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "agents", "name": name}, **parts}


async def test_scale_is_read_and_set(pair: Pair) -> None:
    server, api = pair
    server.objects.put("deployments", named("agent", spec={"replicas": 2}, status={"replicas": 1}))
    seen = await read_scale(api, AGENT, "agents")
    assert (seen.replicas, seen.running, seen.selector, seen.uid) == (
        2,
        1,
        "app=agent",
        "uid-agent",
    )
    after = await patch_replicas(api, AGENT, "agents", 5, version=seen.resource_version)
    assert after.replicas == 5
    assert after.resource_version != seen.resource_version
    assert server.objects.get("deployments", "agents", "agent")["spec"]["replicas"] == 5


async def test_scale_of_a_kind_with_its_own_words_is_set(pair: Pair) -> None:
    server, api = pair
    server.objects.put("fleets", named("agent", spec={"size": 0}))
    seen = await read_scale(api, FLEET, "agents")
    assert (seen.replicas, seen.running) == (0, 0)
    await patch_replicas(api, FLEET, "agents", 3, version=seen.resource_version)
    assert server.objects.get("fleets", "agents", "agent")["spec"] == {"size": 3}


async def test_scale_that_changed_since_it_was_read_is_left_alone(pair: Pair) -> None:
    server, api = pair
    server.objects.put("deployments", named("agent", spec={"replicas": 2}))
    seen = await read_scale(api, AGENT, "agents")
    server.objects.put("deployments", named("agent", spec={"replicas": 7}))
    with pytest.raises(ConflictError, match="has been modified"):
        await patch_replicas(api, AGENT, "agents", 3, version=seen.resource_version)
    assert server.objects.get("deployments", "agents", "agent")["spec"]["replicas"] == 7


async def test_kind_is_looked_up_once(pair: Pair) -> None:
    server, api = pair
    server.objects.put("deployments", named("agent", spec={"replicas": 2}))
    for _ in range(3):
        await read_scale(api, AGENT, "agents")
    assert server.count("get", "discovery") == 1
    with pytest.raises(NotFoundError, match='"nobody" not found'):
        await read_scale(api, ScaleTargetRef(name="nobody"), "agents")


async def test_lease_is_created_and_renewed(pair: Pair) -> None:
    _, api = pair
    assert await read_lease(api, "system", "leader") is None
    mine = Lease("me", 15, NOON, NOON)
    written = await write_lease(api, "system", "leader", mine)
    assert replace(written, resource_version="") == mine
    later = replace(written, renewed_at=NOON + timedelta(seconds=2), transitions=1)
    renewed = await write_lease(api, "system", "leader", later)
    assert await read_lease(api, "system", "leader") == renewed
    assert renewed.renewed_at == NOON + timedelta(seconds=2)


async def test_lease_that_somebody_made_without_a_spec_is_free(pair: Pair) -> None:
    server, api = pair
    server.objects.put("leases", {"metadata": {"namespace": "system", "name": "leader"}})
    found = await read_lease(api, "system", "leader")
    assert found is not None
    assert (found.holder, found.duration_seconds, found.transitions) == ("", 0, 0)
    taken = await write_lease(api, "system", "leader", replace(found, holder="a"))
    assert taken.holder == "a"


async def test_leases_are_listed_with_the_shards_of_their_holders(pair: Pair) -> None:
    server, api = pair
    written = await write_lease(api, "system", "leader-3", Lease("a", 15, NOON, NOON, shards=4))
    damaged = {"namespace": "system", "name": "leader", "labels": {SHARDS_LABEL: "few"}}
    server.objects.put("leases", {"metadata": damaged})
    await write_lease(api, "elsewhere", "leader", Lease("b", 15, NOON, NOON))
    found = await list_leases(api, "system")
    assert found == {"leader-3": written, "leader": found["leader"]}
    assert {name: lease.shards for name, lease in found.items()} == {"leader-3": 4, "leader": 1}


async def test_lease_is_taken_by_one_of_two(pair: Pair) -> None:
    _, api = pair
    first = await write_lease(api, "system", "leader", Lease("a", 15, NOON, NOON))
    with pytest.raises(ConflictError):
        await write_lease(api, "system", "leader", Lease("b", 15, NOON, NOON))
    await write_lease(api, "system", "leader", replace(first, holder="b"))
    with pytest.raises(ConflictError):
        await write_lease(api, "system", "leader", first)
    held = await read_lease(api, "system", "leader")
    assert held is not None
    assert held.holder == "b"


async def test_status_is_merged_into_the_version_that_was_seen(pair: Pair) -> None:
    server, api = pair
    body = server.objects.put("agentscalingpolicies", named("asp", spec={"maxReplicas": 3}))
    seen = body["metadata"]["resourceVersion"]
    status = {"mode": "Auto", "currentReplicas": 2}
    version = await patch_status(api, "agents", "asp", status, seen)
    await patch_status(api, "agents", "asp", {"mode": None}, version)
    kept = server.objects.get("agentscalingpolicies", "agents", "asp")
    assert kept["status"] == {"currentReplicas": 2}
    assert kept["spec"] == {"maxReplicas": 3}
    with pytest.raises(ConflictError):
        await patch_status(api, "agents", "asp", status, seen)
    with pytest.raises(NotFoundError):
        await patch_status(api, "agents", "gone", status, seen)


async def test_policies_are_listed_with_their_versions_only(pair: Pair) -> None:
    server, api = pair
    for number in range(600):
        server.objects.put("agentscalingpolicies", named(f"asp-{number}", spec={}))
    server.objects.put("agentscalingpolicies", {"metadata": {"namespace": "b", "name": "asp"}})
    listed = await list_policies(api)
    assert len(listed) == 601
    assert listed["agents", "asp-0"] == PolicyVersion("uid-asp-0", 1, "1")
    assert server.count("list", "agentscalingpolicies") == 2
    assert set(await list_policies(api, "b")) == {("b", "asp")}
    assert (await read_policy(api, "b", "asp"))["metadata"]["uid"] == "uid-asp"


def event(count: int) -> dict[str, Any]:
    told = {"count": count, "lastTimestamp": f"2026-03-02T12:00:0{count}Z", "message": "2 to 4"}
    return named("asp.17f", reason="ScaledUp", **told)


async def test_event_that_happens_again_is_counted(pair: Pair) -> None:
    server, api = pair
    for count in (1, 2):
        await post_event(api, event(count))
    posted = server.objects.all("events")
    assert list(posted) == [("agents", "asp.17f")]
    assert posted["agents", "asp.17f"]["count"] == 2
    assert posted["agents", "asp.17f"]["lastTimestamp"].endswith("02Z")


async def test_event_that_is_posted_twice_is_one(pair: Pair) -> None:
    server, api = pair
    for _ in range(2):
        await post_event(api, event(1))
    assert server.objects.get("events", "agents", "asp.17f")["count"] == 1


async def test_event_that_is_refused_is_told(pair: Pair) -> None:
    server, api = pair
    server.faults.append(Fault("create", "events", status=404, message="no such namespace"))
    with pytest.raises(NotFoundError, match="no such namespace"):
        await post_event(api, event(1))


async def test_secret_is_read_decoded(pair: Pair) -> None:
    server, api = pair
    server.objects.put("secrets", named("keys", data={"token": "c2VzYW1l"}))
    server.objects.put("secrets", named("empty"))
    assert await read_secret(api, "agents", "keys") == {"token": b"sesame"}
    assert await read_secret(api, "agents", "empty") == {}
