"""Whatever the API server, the clock or our own death do: no scaling is lost or made twice."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from agentscaler import conventions
from agentscaler.api.policy import ScaleTargetRef
from tests.fakes.apiserver import Fault
from tests.fakes.cluster import EAGER, POLICY_STATUS, SCALE, SLOTS
from tests.fakes.connected import PATIENT, until
from tests.fakes.leadership import Leader, leading
from tests.fakes.podded import Fleet, passes
from tests.faults.dying import die_at

# More requests than any pass below makes: the sweep ends earlier, with the pass that was not cut.
MOST_REQUESTS = 60


@pytest.fixture
async def leader(tmp_path: Path) -> AsyncIterator[Leader]:
    async with leading(tmp_path) as made:
        yield made


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[Leader]:
    async with leading(tmp_path, limits=PATIENT) as made:
        yield made


def counts(leader: Leader, name: str = "agent") -> list[int]:
    """Give the counts that the Deployment was set to, one after the other."""
    found: list[int] = []
    for change in leader.server.objects.log:
        body = change.body
        if change.plural == "deployments" and body["metadata"]["name"] == name:
            count = body["spec"]["replicas"]
            found += [count] if found[-1:] != [count] else []
    return found


async def remove_target(leader: Leader) -> None:
    """Delete the Deployment, and wait until the watch has told of it."""
    leader.server.objects.remove("deployments", "agents", "agent")
    await until(lambda: leader.targets.find("agents", ScaleTargetRef(name="agent")) is None)


def outcomes(leader: Leader) -> list[str]:
    return [each["outcome"] for each in leader.history()]


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "lost"])
async def test_death_at_any_request_loses_and_doubles_no_scaling(
    tmp_path: Path, answered: bool
) -> None:
    for number in range(1, MOST_REQUESTS):
        async with leading(tmp_path) as leader:
            leader.agent(queue=20)
            leader.policy()
            died = await die_at(leader, number, answered=answered)
            leader.restart()
            await passes(Fleet(leader), 3)
            (first, *others) = counts(leader)
            assert (first, len(others)) == (1, 1), f"died at request {number}"
            assert outcomes(leader) == ["Applied"], f"died at request {number}"
        if not died:
            break
    assert 3 < number < MOST_REQUESTS - 1


async def test_death_at_any_await_loses_and_doubles_no_scaling(tmp_path: Path) -> None:
    """A pass is a few hundred turns of the loop; it ends between two of them, wherever it is."""
    unended = 0
    for turns in range(1, 400, 23):
        async with leading(tmp_path) as leader:
            leader.agent(queue=20)
            leader.policy()
            taking = asyncio.create_task(leader.run_pass())
            for _ in range(turns):
                await asyncio.sleep(0)
            unended += not taking.done()
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            leader.restart()
            await passes(Fleet(leader), 3)
            assert len(counts(leader)) == 2, f"died after {turns} turns"
            assert outcomes(leader) == ["Applied"], f"died after {turns} turns"
    assert unended > 5


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "lost"])
@pytest.mark.parametrize("returns", [True, False], ids=["demand returns", "demand stays low"])
async def test_death_at_any_request_leaves_no_pod_out_of_service(
    tmp_path: Path, answered: bool, returns: bool
) -> None:
    for number in range(1, MOST_REQUESTS):
        async with leading(tmp_path) as leader:
            fleet = Fleet(leader)
            fleet.start({"a": 1, "b": 0, "c": 0}, detachable=True)
            await passes(fleet, 2)
            fleet.serve({"a": 1, "b": 0, "c": 0}, later=5)
            leader.clock.date += timedelta(seconds=4)
            died = await die_at(leader, number, answered=answered)
            leader.restart()
            fleet.follow()
            if returns:
                leader.load(active=3 * SLOTS)
            for _ in range(6):
                await passes(fleet, 1, after=4)
                fleet.serve({"a": 1, "b": 0, "c": 0}, later=4)
            assert "a" in fleet.names()
            assert {fleet.serving(name) for name in fleet.names()} == {"true"}
            assert returns or fleet.names() == ["a"], f"died at request {number}"
        if not died:
            break
    assert 3 < number < MOST_REQUESTS - 1


@pytest.mark.parametrize("what", [POLICY_STATUS, SCALE])
async def test_storm_of_conflicts_delays_one_scaling_and_makes_no_second(
    leader: Leader, what: str
) -> None:
    leader.agent(queue=20)
    leader.policy()
    leader.server.faults.append(Fault("patch", what, times=20, status=409))
    for _ in range(25):
        await leader.run_pass(after=0.5)
    assert len(counts(leader)) == 2
    assert outcomes(leader)[0] == "Applied"
    assert "Pending" not in outcomes(leader)


@pytest.mark.parametrize("status", [429, 500, 503, 504])
async def test_server_that_fails_every_request_for_minutes_is_outlived(
    leader: Leader, status: int
) -> None:
    leader.agent(replicas=4, active=20)
    leader.policy()
    await leader.run_pass()
    before = leader.replicas()
    leader.settle()
    leader.load(active=0)
    leader.server.faults.append(Fault("*", "*", times=-1, status=status))
    for _ in range(5):
        await leader.run_pass(after=60, caught_up=False)
    assert leader.replicas() == before
    leader.server.faults.clear()
    for _ in range(2):
        await leader.run_pass(after=5)
        leader.settle()
    assert leader.replicas() == 1
    assert set(outcomes(leader)) == {"Applied"}


async def test_slow_server_delays_and_doubles_nothing(patient: Leader) -> None:
    patient.agent(queue=20)
    patient.policy()
    patient.server.faults.append(Fault("*", "*", times=-1, delay_seconds=0.2))
    for _ in range(2):
        await patient.run_pass()
    assert len(counts(patient)) == 2
    assert outcomes(patient) == ["Applied"]


@pytest.mark.parametrize("hours", [24, 1, -1, -24])
async def test_clock_that_jumps_removes_nothing_and_holds_up_nothing(
    leader: Leader, hours: int
) -> None:
    leader.agent(replicas=4, active=20)
    leader.policy(threshold={"scaleUp": {"cooldown": "60s", "step": 3}})
    leader.load(active=16)
    await leader.run_pass()
    assert leader.replicas() == 7  # its cooldown runs from here
    leader.settle()
    leader.load(active=27)
    leader.clock.date += timedelta(hours=hours)
    await leader.run_pass(after=15)
    assert leader.replicas() == 10
    leader.restart()  # the record is of the other time
    leader.settle()
    leader.load(active=39)
    leader.clock.date += timedelta(hours=-hours)
    await leader.run_pass(after=65)
    assert leader.replicas() == 13


async def test_namesake_of_a_deleted_policy_begins_anew(leader: Leader) -> None:
    leader.agent(replicas=4, active=20)
    leader.policy()
    await leader.run_pass()
    leader.settle()
    size = leader.replicas()
    leader.delete_policy()
    leader.policy(uid="another", maxReplicas=size + 1)
    leader.load(active=90)
    await leader.run_pass()
    assert leader.replicas() == size + 1
    assert len(leader.history()) == 1


async def test_target_that_is_deleted_and_made_anew_is_followed(leader: Leader) -> None:
    leader.agent(replicas=4, active=20)
    leader.policy()
    await leader.run_pass()
    await remove_target(leader)
    await leader.run_pass()
    assert leader.status()["reason"] == "TargetNotFound"
    leader.agent(replicas=2, active=20)
    for _ in range(2):
        await leader.run_pass()
        leader.settle()
    assert leader.replicas() > 4


async def test_target_that_is_rolled_out_is_not_shrunk_until_it_is_done(leader: Leader) -> None:
    leader.agent(replicas=6, active=20)
    leader.policy()
    await leader.run_pass()
    leader.settle()
    size = leader.replicas()
    key = ("agents", "agent")
    leader.server.objects.merge("deployments", key, {"status": {"updatedReplicas": 1}})
    leader.load(active=0)
    for _ in range(3):
        await leader.run_pass(after=5)
    assert (leader.replicas(), leader.status()["decision"]["reason"]) == (size, "RollingOut")
    leader.settle()
    for _ in range(2):
        await leader.run_pass(after=5)
    assert leader.replicas() == 1


async def test_paused_rollout_does_not_keep_a_target_from_shrinking(leader: Leader) -> None:
    leader.agent(replicas=6)
    leader.policy()
    key = ("agents", "agent")
    half = {"spec": {"paused": True}, "status": {"updatedReplicas": 3}}
    leader.server.objects.merge("deployments", key, half)
    for _ in range(3):
        await leader.run_pass(after=5)
    assert leader.replicas() == 1


async def test_stuck_rollout_of_a_fleet_that_drains_costs_no_busy_pod(leader: Leader) -> None:
    """Its controller would remove some of each revision, whatever pods were chosen."""
    leader.agent(replicas=6)
    leader.policy(drain={})
    half = {"spec": {"paused": True}, "status": {"updatedReplicas": 3}}
    leader.server.objects.merge("deployments", ("agents", "agent"), half)
    for _ in range(3):
        await leader.run_pass(after=5)
    assert (leader.replicas(), leader.status()["decision"]["reason"]) == (6, "RollingOut")


async def test_selector_that_changes_leaves_no_pod_out_of_service(leader: Leader) -> None:
    fleet = Fleet(leader)
    fleet.start({"a": 1, "b": 1}, detachable=True)
    await passes(fleet, 2)
    assert fleet.serving("a") == "false"
    await remove_target(leader)
    body = {"selector": {"matchLabels": {"app": "other"}}, "replicas": 1}
    metadata = {"namespace": "agents", "name": "agent", "uid": "new"}
    leader.server.objects.put("deployments", {"metadata": metadata, "spec": body})
    leader.settle()
    for _ in range(3):
        await leader.run_pass(after=5)
    assert (fleet.serving("a"), fleet.is_marked("a")) == ("true", False)


async def test_three_hundred_policies_that_change_at_once_are_all_followed(
    patient: Leader,
) -> None:
    names = [f"agent-{number}" for number in range(300)]
    for name in names:
        patient.agent(name, queue=40)
        patient.policy(name, maxReplicas=2, demand=EAGER)
    await patient.run_pass()
    for name in names:
        patient.settle(name)
        patient.policy(name, maxReplicas=3, demand=EAGER)
    await patient.run_pass()
    assert {patient.replicas(name) for name in names} == {3}
    assert patient.server.count("patch", conventions.PLURAL) == 0
