"""Two releases on the same policies: neither sees the other's Lease, and both say so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.connected import until
from tests.fakes.operated import Scene, staged


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with staged(tmp_path) as made:
        yield made


async def test_second_release_on_a_target_is_told_with_its_lease(scene: Scene) -> None:
    scene.agent(queue=20)
    scene.policy()
    await scene.lead(lease_namespace="team-a")
    await scene.lead(lease_namespace="team-b")
    for queue in (40, 80):
        scene.settle()
        scene.load(queue=queue)
        await until(lambda queue=queue: scene.replicas() * 4 > queue)  # type: ignore[misc]
    await until(lambda: scene.events("ReplicasContested"))
    said = scene.events("ReplicasContested")[0]["message"]
    assert said.startswith("agentscaler@team-")
    assert "uninstall one of the two operators" in said


async def test_replicas_of_one_release_are_no_strangers_to_each_other(scene: Scene) -> None:
    scene.agent(queue=20)
    scene.policy()
    first = await scene.lead()
    await until(lambda: scene.replicas() > 1)
    await first.stop()
    await scene.lead()
    scene.settle()
    before = scene.replicas()
    scene.load(queue=80)
    await until(lambda: scene.replicas() > before)
    await until(lambda: len(scene.history()) == 2 and scene.history()[0]["outcome"] == "Applied")
    assert scene.events("ReplicasContested") == []
