"""A scaling is on record before it is carried out, and nothing is lost or doubled by a failure."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentscaler import conventions
from tests.fakes.apiserver import Fault
from tests.fakes.cluster import POLICY_STATUS, SCALE
from tests.fakes.leadership import Leader, leading

RECORD, ACT = ("patch", POLICY_STATUS), ("patch", SCALE)


@pytest.fixture
async def leader(tmp_path: Path) -> AsyncIterator[Leader]:
    async with leading(tmp_path) as made:
        yield made


def outcomes(leader: Leader, name: str = "agent") -> list[str]:
    return [each["outcome"] for each in leader.history(name)]


async def test_scaling_is_recorded_before_it_is_carried_out_and_ended_after(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy()
    at_act: list[list[str]] = []
    leader.server.on_request = lambda verb, what: (
        at_act.append(outcomes(leader)) if (verb, what) == ACT else None
    )
    assert await leader.run_pass() == []
    assert leader.writes() == [RECORD, ACT, RECORD]
    assert leader.server.count("get", SCALE) == 0  # the watch has told which version it is
    assert (at_act, outcomes(leader)) == ([["Pending"]], ["Applied"])
    assert leader.replicas() == leader.history()[0]["to"] > 5


async def test_nothing_is_written_over_ten_passes_without_a_change(leader: Leader) -> None:
    leader.agent(replicas=3, active=8)
    leader.policy()
    for _ in range(3):
        await leader.run_pass()
        leader.settle()
        leader.load(active=8)
    before = len(leader.writes())
    for number in range(10):
        leader.load(active=8 + number % 2 / 10)
        await leader.run_pass()
    assert leader.new_writes(before) == []


async def reasons_over(leader: Leader, loads: list[float]) -> list[str]:
    """Take the policy through a pass for each load; give the reason on record after each."""
    found = []
    for load in loads:
        leader.load(active=load)
        await leader.run_pass()
        found.append(leader.status()["reason"])
    return found


async def test_reason_is_written_anew_only_once_it_lasts(leader: Leader) -> None:
    """Load that comes and goes would else be a write for each poll, for nothing that changes."""
    leader.agent(replicas=3, active=8)
    leader.policy(demand={"scaleUp": {"cooldown": "0s"}})
    for _ in range(4):
        await leader.run_pass()
        leader.settle()
        leader.load(active=8)
    count, before = leader.replicas(), len(leader.writes())
    assert set(await reasons_over(leader, [8, 1] * 6)) == {"Demand"}
    assert leader.new_writes(before) == []
    said = await reasons_over(leader, [1] * 10)
    assert (said[:3], said[-1]) == (["Demand"] * 3, "Stabilizing")
    assert (leader.replicas(), leader.new_writes(before)) == (count, [RECORD])


async def test_unrecorded_scaling_is_not_carried_out(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy()
    leader.server.faults.append(Fault("patch", POLICY_STATUS, times=-1))
    for _ in range(3):
        await leader.run_pass()
    assert ACT not in leader.writes()
    assert leader.replicas() == 1
    leader.server.faults.clear()
    await leader.run_pass()
    assert outcomes(leader) == ["Applied"]
    assert leader.replicas() == leader.history()[0]["to"]


async def test_spec_that_changed_meanwhile_is_read_before_anything_is_done(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy()
    leader.learn()
    leader.policy(maxReplicas=2)
    assert await leader.run_pass(caught_up=False) == ["agent"]
    assert ACT not in leader.writes()
    assert await leader.run_pass(caught_up=False) == []
    assert leader.replicas() == 2


async def test_count_that_somebody_set_meanwhile_is_looked_at_again(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy()

    def interfere(verb: str, what: str) -> None:
        if (verb, what) == ACT:
            leader.server.on_request = lambda verb, what: None
            leader.set_replicas(3)

    leader.server.on_request = interfere
    assert await leader.run_pass() == ["agent"]
    assert leader.replicas() == 3
    assert await leader.run_pass() == []
    assert outcomes(leader) == ["Applied", "Failed"]
    assert leader.history()[0]["from"] == 3
    assert leader.replicas() == leader.history()[0]["to"]


@pytest.mark.parametrize(("conflicts", "again"), [(3, []), (4, ["agent"])])
async def test_version_that_changed_without_the_count_is_tried_again(
    leader: Leader, conflicts: int, again: list[str]
) -> None:
    leader.agent(queue=20)
    leader.policy()
    leader.server.faults.append(Fault("patch", SCALE, times=conflicts, status=409))
    assert await leader.run_pass() == again
    assert outcomes(leader) == (["Pending"] if again else ["Applied"])
    await leader.run_pass()
    assert outcomes(leader) == ["Applied"]
    assert len(leader.history()) == 1


@pytest.mark.parametrize("what", [POLICY_STATUS, SCALE])
@pytest.mark.parametrize("how", ["500", "hang", "hang, but done", "500, but done"])
async def test_write_that_fails_once_loses_and_doubles_nothing(
    leader: Leader, what: str, how: str
) -> None:
    leader.agent(queue=20)
    leader.policy()
    fault = Fault("patch", what, hang="hang" in how, carried_out="done" in how)
    leader.server.faults.append(fault)
    for _ in range(4):
        await leader.run_pass()
    assert leader.replicas() == leader.history()[0]["to"] > 5
    assert outcomes(leader) == ["Applied"]
    assert leader.status()["currentReplicas"] == leader.replicas()
    scalings = leader.telemetry.scalings.labels(direction="up", reason="Demand")
    assert scalings._value.get() == 1
    leader.server.cut()


async def test_refused_connection_loses_nothing(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy()
    await leader.run_pass()
    leader.settle()
    await leader.run_pass()
    leader.load(queue=60)
    await leader.server.stop()
    before = len(leader.writes())
    for _ in range(2):
        await leader.run_pass(caught_up=False)
    assert leader.new_writes(before) == []
    await leader.server.start()
    await leader.run_pass()
    assert outcomes(leader) == ["Applied", "Applied"]
    assert leader.replicas() == leader.history()[0]["to"]


async def test_scaling_that_is_refused_is_told_and_tried_at_every_poll(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy()
    leader.server.faults.append(Fault("patch", SCALE, times=-1, status=403, message="quota"))
    for _ in range(3):
        assert await leader.run_pass() == []
        await leader.record.post_due_events()
    assert outcomes(leader) == ["Failed"]
    assert leader.history()[0]["failure"] == "quota"
    assert len(leader.events("ScalingFailed")) == 2
    assert leader.writes().count(ACT) == 3
    leader.server.faults.clear()
    await leader.run_pass()
    assert outcomes(leader) == ["Applied"]


async def test_cooldown_holds_although_the_second_try_of_a_scaling_was_not_answered(
    leader: Leader,
) -> None:
    leader.agent(queue=20)
    leader.policy(threshold={"scaleUp": {"cooldown": "60s"}})
    leader.server.faults.append(Fault(*ACT, status=500))
    leader.server.faults.append(Fault(*ACT, status=500, carried_out=True))
    await leader.run_pass()
    assert (leader.replicas(), outcomes(leader)) == (1, ["Failed"])
    for _ in range(12):
        await leader.run_pass(after=5)
    assert (leader.replicas(), outcomes(leader)) == (3, ["Applied"])
    await leader.run_pass(after=7)
    assert leader.replicas() == 5


async def test_status_that_cannot_be_written_is_tried_again_at_the_next_poll_only(
    leader: Leader,
) -> None:
    """Two tries a second would double the load of a server that fails, and of Prometheus."""
    leader.agent(queue=20)
    leader.policy()
    leader.server.faults.append(Fault("patch", POLICY_STATUS, times=-1, status=500))
    assert await leader.run_pass() == []


async def test_target_that_goes_meanwhile_is_no_scaling(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy()

    def remove(verb: str, what: str) -> None:
        if (verb, what) == ACT:
            leader.server.on_request = lambda verb, what: None
            leader.server.objects.remove("deployments", "agents", "agent")

    leader.server.on_request = remove
    await leader.run_pass()
    assert outcomes(leader) == ["Failed"]
    await leader.run_pass(caught_up=False)


async def test_recommendation_is_recorded_once_and_not_followed(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy(mode="Recommend")
    for _ in range(2):
        await leader.run_pass()
    before = len(leader.writes())
    await leader.run_pass()
    assert (outcomes(leader), leader.new_writes(before)) == (["Recommended"], [])
    assert set(leader.writes()) == {RECORD}
    assert leader.replicas() == 1


async def test_cooldown_counts_from_the_scaling_also_for_whoever_takes_over(
    leader: Leader, tmp_path: Path
) -> None:
    leader.agent(queue=20)
    leader.policy(threshold={"scaleUp": {"cooldown": "60s"}})
    await leader.run_pass()
    assert leader.replicas() == 3
    await leader.run_pass(after=59)
    leader.registry.drop("agents/agent")  # another process begins from the record
    await leader.run_pass(after=0.5)
    assert leader.replicas() == 3
    await leader.run_pass(after=2)
    assert leader.replicas() == 5


async def test_cooldown_holds_although_nobody_recorded_the_end_of_the_scaling(
    leader: Leader,
) -> None:
    """The operator died between the scaling and its second record."""
    leader.agent(queue=20)
    leader.policy(threshold={"scaleUp": {"cooldown": "60s"}})

    def die(verb: str, what: str) -> None:
        if (verb, what) == ACT:
            leader.server.faults.append(Fault("patch", POLICY_STATUS))

    leader.server.on_request = die
    await leader.run_pass()
    assert (leader.replicas(), outcomes(leader)) == (3, ["Pending"])
    leader.registry.drop("agents/agent")
    await leader.run_pass()
    assert (leader.replicas(), outcomes(leader)) == (3, ["Applied"])
    await leader.run_pass(after=58)
    assert leader.replicas() == 3
    await leader.run_pass(after=5)
    assert leader.replicas() == 5


async def test_start_is_measured_from_the_scaling(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy()
    await leader.run_pass()
    leader.entry().lead_time.seen(leader.replicas(), leader.replicas(), leader.clock.date)
    leader.settle()
    await leader.run_pass()
    assert leader.status()["leadTime"] == "0s"
    assert leader.server.count("patch", conventions.PLURAL) == 0
