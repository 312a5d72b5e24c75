"""The whole operator in this process, where it may not see all that it should."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentscaler import conventions
from agentscaler.act import mirror
from agentscaler.api.status import Reason
from tests.fakes.apiserver import Fault
from tests.fakes.cluster import SCALE
from tests.fakes.connected import until
from tests.fakes.operated import Scene, staged

LEASES = "leases"
AUTOSCALERS = "horizontalpodautoscalers"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with staged(tmp_path) as made:
        yield made


def has_scaled(scene: Scene, times: int = 1, name: str = "agent") -> bool:
    past = scene.history(name)
    return [each["outcome"] for each in past] == ["Applied"] * times


def role_is_gone(scene: Scene, namespace: str) -> None:
    """Take all rights in a namespace away, as deleting its RoleBinding does."""
    scene.server.faults.append(Fault("*", "*", times=-1, status=403, namespace=namespace))
    scene.server.cut()


async def test_namespace_without_rights_holds_up_no_other_at_the_start(scene: Scene) -> None:
    role_is_gone(scene, "gone")
    scene.agent(queue=20)
    scene.policy()
    running = await scene.lead(namespaces=("gone", "agents"))
    await until(lambda: has_scaled(scene))
    assert running.operator._unready == ""


async def test_namespace_that_lost_its_rights_holds_up_no_other_at_a_change_of_leader(
    scene: Scene,
) -> None:
    namespaces = ("agents", "gone")
    scene.agent(queue=20)
    scene.policy()
    first = await scene.lead(namespaces=namespaces)
    await until(lambda: has_scaled(scene))
    role_is_gone(scene, "gone")
    await first.stop()
    scene.settle()
    scene.load(queue=80)
    await scene.lead(namespaces=namespaces)
    await until(lambda: has_scaled(scene, times=2))


async def test_namespace_that_has_its_rights_back_is_followed_again(scene: Scene) -> None:
    role_is_gone(scene, "gone")
    scene.agent()
    made = scene.policy()
    await scene.lead(namespaces=("gone", "agents"))
    metadata = {**made["metadata"], "namespace": "gone", "uid": "uid-gone"}
    scene.server.objects.put(conventions.PLURAL, {**made, "metadata": metadata})
    scene.server.faults.clear()
    theirs = scene.server.objects.all(conventions.PLURAL)
    await until(lambda: theirs["gone", "agent"].get("status"))


def autoscaled(scene: Scene) -> None:
    """Have a busy agent with a policy, and an HPA that lets it have three replicas at most."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "agent"}
    autoscaler = {
        "metadata": {"namespace": "agents", "name": "hpa"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 3},
    }
    scene.server.objects.put(AUTOSCALERS, autoscaler)
    scene.agent(queue=20)
    scene.policy()


async def test_other_autoscaler_that_cannot_be_listed_at_first_is_yielded_to(scene: Scene) -> None:
    autoscaled(scene)
    scene.server.faults.append(Fault("list", AUTOSCALERS, times=3))
    await scene.lead()
    await until(lambda: scene.status().get("reason") == Reason.OTHER_AUTOSCALER)
    assert ("patch", SCALE) not in scene.writes()


async def test_autoscalers_that_may_never_be_listed_are_told_and_soon_not_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "_FIRST_LIST_SECONDS", 1.5)
    autoscaled(scene)
    scene.server.faults.append(Fault("list", AUTOSCALERS, times=-1, status=403))
    await scene.lead()
    await until(lambda: has_scaled(scene))
    (told,) = [each for each in scene.status()["conditions"] if each["type"] == "Conflict"]
    assert (told["status"], told["reason"]) == ("Unknown", Reason.RIVALS_UNKNOWN)
