"""What act takes for granted of Leases, Events, policies and credentials, on a real API server."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentscaler.act.client import connect
from agentscaler.act.credentials import read_secret
from agentscaler.act.events import post_event
from agentscaler.act.leases import Lease, read_lease, write_lease
from agentscaler.act.places import POLICIES
from agentscaler.act.policies import list_policies, read_policy
from agentscaler.act.statuses import patch_status
from agentscaler.errors import ClusterError, ConflictError, ForbiddenError, NotFoundError
from tests.bed import Bed
from tests.e2e.act_places import Place, opened

pytestmark = pytest.mark.e2e

CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture
async def place(cluster: Bed) -> AsyncIterator[Place]:
    async with opened(cluster) as here:
        yield here


@pytest.fixture(scope="session")
def policy_definition(cluster: Bed) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    cluster.kubectl(
        "wait", "--for=condition=Established", "crd", f"{POLICIES.plural}.agentscaler.dev"
    )


async def test_lease_is_held_by_one_of_two(place: Place) -> None:
    now = datetime.now(UTC)
    assert await read_lease(place.api, place.namespace, "leader") is None
    mine = await write_lease(place.api, place.namespace, "leader", Lease("me", 15, now, now))
    assert (mine.holder, mine.renewed_at) == ("me", now)
    with pytest.raises(ConflictError):
        await write_lease(place.api, place.namespace, "leader", Lease("you", 15, now, now))
    taken = replace(mine, holder="you", transitions=1)
    renewed = await write_lease(place.api, place.namespace, "leader", taken)
    with pytest.raises(ConflictError):
        await write_lease(place.api, place.namespace, "leader", mine)
    released = await write_lease(place.api, place.namespace, "leader", replace(renewed, holder=""))
    assert await read_lease(place.api, place.namespace, "leader") == released
    assert released.holder == ""


def event(place: Place, count: int) -> dict[str, Any]:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": place.namespace, "name": "agent.17f"},
        "involvedObject": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "namespace": place.namespace,
            "name": "agent",
        },
        "type": "Normal",
        "reason": "ScaledUp",
        "message": "from 2 to 4",
        "source": {"component": "agentscaler"},
        "reportingComponent": "agentscaler",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": count,
    }


async def test_event_that_happens_again_is_one_with_a_count(place: Place) -> None:
    for count in (1, 1, 2):
        await post_event(place.api, event(place, count))
    posted = [it for it in place.read("events")["items"] if it["reason"] == "ScaledUp"]
    assert [(it["metadata"]["name"], it["count"]) for it in posted] == [("agent.17f", 2)]


def policy(name: str) -> dict[str, Any]:
    metadata = {"name": name}
    kind = {"apiVersion": "agentscaler.dev/v1alpha1", "kind": "AgentScalingPolicy"}
    return {**kind, "metadata": metadata, "spec": {"scaleTargetRef": {"name": "agent"}}}


async def test_policies_are_listed_by_their_metadata(place: Place, policy_definition: None) -> None:
    place.apply(*(policy(f"asp-{number}") for number in range(3)))
    own = await list_policies(place.api, place.namespace)
    assert set(own) == {(place.namespace, f"asp-{number}") for number in range(3)}
    assert own.items() <= (await list_policies(place.api)).items()
    body = await read_policy(place.api, place.namespace, "asp-1")
    found = own[place.namespace, "asp-1"]
    assert (body["metadata"]["uid"], body["metadata"]["generation"]) == (found.uid, 1)
    pages = place.api.list_pages(POLICIES.at(place.namespace))
    assert body["spec"] in [item["spec"] async for page in pages for item in page["items"]]


async def test_status_is_written_to_the_version_that_was_seen(
    place: Place, policy_definition: None
) -> None:
    place.apply(policy("asp"))
    seen = place.read("asp/asp")["metadata"]["resourceVersion"]
    status = {"mode": "Auto", "currentReplicas": 2}
    version = await patch_status(place.api, place.namespace, "asp", status, seen)
    with pytest.raises(ConflictError):
        await patch_status(place.api, place.namespace, "asp", status, seen)
    again = await patch_status(place.api, place.namespace, "asp", status, version)
    assert again == version  # a write that changes nothing makes no new version
    await patch_status(place.api, place.namespace, "asp", {"mode": None}, version)
    assert place.read("asp/asp")["status"] == {"currentReplicas": 2}
    with pytest.raises(NotFoundError):
        await patch_status(place.api, place.namespace, "nobody", status, version)


async def test_secret_is_read_and_refused_without_the_right(place: Place, tmp_path: Path) -> None:
    place.kubectl("create", "secret", "generic", "keys", "--from-literal=token=sesame")
    assert await read_secret(place.api, place.namespace, "keys") == {"token": b"sesame"}
    place.kubectl("create", "serviceaccount", "weak")
    token = place.kubectl("create", "token", "weak").strip()
    weak = await connect(with_token(place, tmp_path, token))
    try:
        with pytest.raises(ForbiddenError, match=r'secrets "keys" is forbidden: User .*:weak"'):
            await read_secret(weak, place.namespace, "keys")
        assert (await weak.login()).token == token
    finally:
        await weak.close()
    stranger = await connect(with_token(place, tmp_path, "nonsense"))
    try:
        with pytest.raises(ClusterError, match="Unauthorized"):
            await read_secret(stranger, place.namespace, "keys")
    finally:
        await stranger.close()


def with_token(place: Place, folder: Path, token: str) -> Path:
    """Write a kubeconfig with a token in place of the administrator's certificate."""
    content = yaml.safe_load(place.kubectl("config", "view", "--raw", "--minify", "--flatten"))
    content["users"] = [{"name": content["users"][0]["name"], "user": {"token": token}}]
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(content))
    return file
