"""How a pod of the API server is read."""

from typing import Any

import pytest

from tests.bed.fleet.pods import PodSeen, State, read_pod


def pod(*, deleted: bool = False, ready: str = "True", owner: str = "ReplicaSet") -> dict[str, Any]:
    metadata = {
        "name": "research-agent-5d8f-x1",
        "namespace": "agents",
        "labels": {"pod-template-hash": "5d8f"},
        "ownerReferences": [{"kind": owner, "name": "research-agent-5d8f"}],
    }
    if deleted:
        metadata["deletionTimestamp"] = "2026-11-24T06:00:00Z"
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


@pytest.mark.parametrize(
    ("body", "state"),
    [
        pytest.param(pod(), State.READY, id="ready"),
        pytest.param(pod(ready="False"), State.STARTING, id="not-ready"),
        pytest.param(pod(deleted=True), State.DRAINING, id="deleted"),
    ],
)
def test_a_pod_is_read_with_its_deployment_and_state(body: dict[str, Any], state: State) -> None:
    assert read_pod(body) == PodSeen("agents", "research-agent", "research-agent-5d8f-x1", state)


def test_pods_of_other_owners_are_left_out() -> None:
    assert read_pod(pod(owner="Job")) is None
    assert read_pod({"metadata": {"name": "bare", "namespace": "agents"}}) is None


def test_a_pod_without_status_is_starting() -> None:
    body = pod()
    del body["status"]
    seen = read_pod(body)
    assert seen is not None
    assert seen.state is State.STARTING
