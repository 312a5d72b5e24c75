"""What was decided on a state that is no longer true is not carried out, however late it comes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentscaler.api.policy import ScaleTargetRef
from tests.fakes.apiserver import Fault
from tests.fakes.cluster import SCALE
from tests.fakes.connected import until
from tests.fakes.leadership import Leader, leading

ACT = ("patch", SCALE)
COOLDOWN = {"scaleUp": {"cooldown": "60s"}}


@pytest.fixture
async def leader(tmp_path: Path) -> AsyncIterator[Leader]:
    async with leading(tmp_path) as made:
        yield made


async def test_scaling_left_pending_is_not_done_after_the_policy_was_paused(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy()
    for verb in ("patch", "get"):  # it fails, and nobody can see whether it was done all the same
        leader.server.faults.append(Fault(verb, SCALE, times=-1, status=500))
    await leader.run_pass()
    assert [each["outcome"] for each in leader.history()] == ["Pending"]
    leader.server.faults.clear()
    leader.policy(mode="Paused")
    for _ in range(3):
        await leader.run_pass(caught_up=False)  # the watch of policies has fallen silent
    assert leader.replicas() == 1


@pytest.mark.parametrize("end", ["paused", "halted"])
async def test_scaling_left_pending_that_was_done_is_told_after_the_policy_ended(
    leader: Leader, end: str
) -> None:
    leader.agent(queue=20)
    leader.policy(threshold=COOLDOWN)
    lost = Fault(*ACT, times=-1, status=500, carried_out=True)
    leader.server.faults += [lost, Fault("get", SCALE, times=-1, status=500)]
    await leader.run_pass()
    assert [each["outcome"] for each in leader.history()] == ["Pending"]
    leader.server.faults.clear()
    if end == "paused":
        leader.policy(threshold=COOLDOWN, mode="Paused")
    else:
        await leader.rival()
    for _ in range(2):
        await leader.run_pass(after=5)
    assert [each["outcome"] for each in leader.history()] == ["Applied"]
    assert leader.status()["lastScaleUpTime"]
    assert (leader.replicas(), leader.status().get("decision") is None) == (3, end == "halted")
    leader.policy(threshold=COOLDOWN)
    if end == "halted":
        await leader.no_rival()
    await leader.run_pass(after=5)
    assert leader.replicas() == 3  # its cooldown holds


async def test_scaling_that_was_done_unheard_is_told_though_it_was_overtaken(
    leader: Leader,
) -> None:
    """The work is gone before the watch tells of the count: the next decision asks for nothing."""
    leader.agent(queue=0)
    leader.policy(threshold=COOLDOWN)
    await leader.run_pass()
    leader.load(queue=20)
    lost = Fault(*ACT, times=-1, status=500, carried_out=True)
    leader.server.faults += [lost, Fault("get", SCALE, times=-1, status=500)]
    leader.server.told_until = leader.server.objects.version
    await leader.run_pass(caught_up=False)
    leader.server.faults.clear()
    leader.load(queue=0)
    await leader.run_pass(after=5, caught_up=False)
    assert [each["outcome"] for each in leader.history()] == ["Failed"]
    leader.server.told_until = float("inf")
    leader.load(queue=60)
    await leader.run_pass(after=5)
    assert [each["outcome"] for each in leader.history()] == ["Applied"]
    assert leader.status()["lastScaleUpTime"]
    assert leader.replicas() == 3  # its cooldown holds


async def test_scaling_that_was_done_after_a_look_found_it_undone_is_told(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy(threshold=COOLDOWN)
    arrival = asyncio.Event()
    leader.server.faults.append(Fault(*ACT, held=arrival))
    await leader.run_pass()
    assert [each["outcome"] for each in leader.history()] == ["Failed"]
    arrival.set()
    await until(lambda: leader.replicas() == 3)
    leader.load(queue=0)
    await leader.run_pass(after=5)
    assert [each["outcome"] for each in leader.history()] == ["Applied"]
    assert leader.status()["lastScaleUpTime"]


async def have_failed(leader: Leader) -> None:
    """Leave a scaling to three replicas that was refused."""
    leader.agent(queue=20)
    leader.policy(threshold=COOLDOWN)
    leader.server.faults.append(Fault(*ACT, status=422))
    await leader.run_pass()
    assert [(each["to"], each["outcome"]) for each in leader.history()] == [(3, "Failed")]
    leader.load(queue=0)


async def test_count_of_somebody_else_is_not_told_as_ours(leader: Leader) -> None:
    await have_failed(leader)
    leader.set_replicas(3, manager="kubectl-edit")
    await leader.run_pass(after=5)
    assert [each["outcome"] for each in leader.history()] == ["Failed"]
    assert "lastScaleUpTime" not in leader.status()


async def test_count_of_another_target_is_not_told_as_ours(leader: Leader) -> None:
    await have_failed(leader)
    leader.agent("other", replicas=3)
    leader.policy(threshold=COOLDOWN, scaleTargetRef={"name": "other"})
    await leader.run_pass(after=5)
    assert [each["outcome"] for each in leader.history()] == ["Failed"]
    assert "lastScaleUpTime" not in leader.status()


async def test_patch_that_arrives_after_another_has_led_is_refused(leader: Leader) -> None:
    """The leader is lost while its patch is on its way; the heir decides for another load."""
    leader.agent(queue=20)
    leader.policy()
    arrival = asyncio.Event()
    leader.server.faults.append(Fault(*ACT, held=arrival))
    passing = asyncio.create_task(leader.run_pass())
    await until(lambda: leader.server.count(*ACT) == 1)
    passing.cancel()
    await asyncio.gather(passing, return_exceptions=True)
    assert leader.replicas() == 1
    leader.restart()
    leader.load(queue=60)
    await leader.run_pass()
    heirs = leader.replicas()
    assert heirs > 1
    arrival.set()
    await until(lambda: leader.server.answered.count(ACT) == leader.server.count(*ACT))
    assert leader.replicas() == heirs
    assert sum(each["outcome"] == "Applied" for each in leader.history()) == 1


async def test_pods_that_find_no_node_are_asked_for_once(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy()
    await leader.run_pass()
    asked = leader.replicas()
    assert asked > 1
    for _ in range(10):  # none of them becomes ready, and the work still waits
        await leader.run_pass(after=5)
    assert leader.replicas() == asked
    assert len(leader.history()) == 1


def write_status(leader: Leader, generation: int) -> str:
    """Have the controller write the status of the target; give the version that this makes."""
    status = {"status": {"observedGeneration": generation}}
    body = leader.server.objects.merge("deployments", ("agents", "agent"), status)
    version: str = body["metadata"]["resourceVersion"]
    return version


def interrupt_the_patch(leader: Leader) -> list[str]:
    """Have the controller write twice before the first patch arrives, and the watch be late."""
    versions: list[str] = []

    def write_before(verb: str, what: str) -> None:
        if (verb, what) == ("patch", SCALE) and not versions:
            versions.extend(write_status(leader, generation) for generation in (7, 8))
            leader.server.told_until = 0

    leader.server.on_request = write_before
    return versions


async def have_told(leader: Leader, version: str) -> None:
    """Let the watch tell of the target up to this version."""

    def is_told() -> bool:
        seen = leader.targets.find("agents", ScaleTargetRef(name="agent"))
        return seen is not None and seen.resource_version == version

    leader.server.told_until = int(version)
    await until(is_told)


async def test_watch_that_is_late_after_a_repeated_patch_doubles_nothing(leader: Leader) -> None:
    """It tells of versions between the one decided on and the one patched: nobody else's count."""
    leader.agent(queue=20, replicas=2)
    leader.policy()
    leader.set_replicas(2, manager="kubectl-client-side-apply")
    versions = interrupt_the_patch(leader)

    await leader.run_pass()
    assert (leader.server.count("patch", SCALE), leader.replicas()) == (2, 8)
    for version in versions:
        await have_told(leader, version)
        assert await leader.run_pass(caught_up=False) == []
    leader.server.told_until = float("inf")
    for _ in range(2):
        await leader.run_pass()
    assert [(each["to"], each["outcome"]) for each in leader.history()] == [(8, "Applied")]
    assert leader.entry().contest is None
    await leader.record.post_due_events()
    assert len(leader.events("ScaledUp")) == 2  # one for the policy, one for its target
