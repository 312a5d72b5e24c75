"""One policy's trouble is its own, whatever happens in the middle of a pass."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentscaler.errors import LeadershipLostError
from tests.fakes.apiserver import Fault
from tests.fakes.cluster import POLICY_STATUS, SCALE
from tests.fakes.connected import PATIENT, QUICK
from tests.fakes.leadership import Leader, leading

ACT = ("patch", SCALE)
NAMES = ("a", "b", "c")


@pytest.fixture
async def leader(tmp_path: Path) -> AsyncIterator[Leader]:
    async with leading(tmp_path) as made:
        yield made


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[Leader]:
    async with leading(tmp_path, limits=PATIENT) as made:
        yield made


@pytest.fixture
async def patient_leader(tmp_path: Path) -> AsyncIterator[Leader]:
    """Lead hundreds of policies: on a busy machine both servers, in one loop, take their time."""
    async with leading(tmp_path, limits=replace(QUICK, timeout_seconds=30)) as made:
        yield made


async def test_write_that_fails_for_one_policy_is_made_for_the_others(leader: Leader) -> None:
    leader.busy(*NAMES)
    leader.server.faults.append(Fault("patch", POLICY_STATUS))
    await leader.run_pass()
    assert sorted(leader.replicas(name) > 5 for name in NAMES) == [False, True, True]
    await leader.run_pass()
    assert all(leader.replicas(name) == leader.history(name)[0]["to"] for name in NAMES)


@pytest.mark.parametrize("count", [10, 200])
async def test_queries_of_a_pass_do_not_grow_with_the_policies(leader: Leader, count: int) -> None:
    leader.busy("first")
    await leader.run_pass()
    alone = len(leader.metrics.requests)
    leader.busy(*(f"p{number}" for number in range(count - 1)))
    await leader.run_pass()
    assert len(leader.registry) == count
    assert len(leader.metrics.requests) == 2 * alone
    sent = leader.telemetry.queries.labels(outcome="sent")
    assert sent._value.get() == 2 * alone


async def test_all_of_two_hundred_are_decided_in_one_pass(patient_leader: Leader) -> None:
    leader = patient_leader
    names = [f"p{number}" for number in range(200)]
    leader.busy(*names)
    await leader.run_pass()
    assert {leader.replicas(name) for name in names} == {leader.replicas("p0")}
    assert leader.replicas("p0") > 5


async def test_growth_does_not_wait_for_the_statuses_of_the_others(patient_leader: Leader) -> None:
    leader = patient_leader
    for number in range(100):
        leader.agent(f"calm{number}")
        leader.policy(f"calm{number}")
    leader.busy("last")
    recorded: list[int] = []
    leader.server.on_request = lambda verb, what: (
        recorded.append(leader.server.count("patch", POLICY_STATUS))
        if (verb, what) == ACT
        else None
    )
    await leader.run_pass()
    assert recorded == [1]  # its own
    assert all(leader.status(f"calm{number}") for number in range(100))


async def test_growth_begins_where_the_load_rose_most(tmp_path: Path) -> None:
    async with leading(tmp_path, limits=replace(QUICK, concurrency=1)) as leader:
        for name in NAMES:
            leader.agent(name, replicas=5, active=12)
            leader.policy(name)
        await leader.run_pass()
        counts: list[list[int]] = []
        leader.server.on_request = lambda verb, what: (
            counts.append([leader.replicas(name) for name in NAMES])
            if (verb, what) == ACT
            else None
        )
        for name, active in zip(NAMES, (20, 60, 40), strict=True):
            leader.load(name, active=active)
        await leader.run_pass()
        least, most, middle = (leader.replicas(name) for name in NAMES)
    before = counts[0][0]
    assert counts == [[before] * 3, [before, most, before], [before, most, middle]]
    assert least > before


async def test_policy_that_goes_before_it_is_recorded_is_not_acted_on(leader: Leader) -> None:
    leader.busy(*NAMES)

    def remove(verb: str, what: str) -> None:
        if (verb, what) == ("patch", POLICY_STATUS):
            leader.server.on_request = lambda verb, what: None
            leader.delete_policy("b")

    leader.server.on_request = remove
    assert await leader.run_pass() == []
    assert [leader.replicas(name) > 5 for name in NAMES] == [True, False, True]
    assert leader.registry.find("agents/b") is None


async def test_policy_that_goes_between_record_and_act_harms_nobody(leader: Leader) -> None:
    leader.busy("agent")

    def remove(verb: str, what: str) -> None:
        if (verb, what) == ACT:
            leader.server.on_request = lambda verb, what: None
            leader.delete_policy()

    leader.server.on_request = remove
    assert await leader.run_pass() == []
    assert len(leader.registry) == 0
    assert await leader.run_pass(caught_up=False) == []


async def test_namesake_made_in_the_middle_of_a_pass_keeps_its_own_status(leader: Leader) -> None:
    leader.busy("agent")

    def replace(verb: str, what: str) -> None:
        if (verb, what) == ("patch", POLICY_STATUS):
            leader.server.on_request = lambda verb, what: None
            leader.delete_policy()
            leader.policy(uid="another", mode="Recommend")

    leader.server.on_request = replace
    assert await leader.run_pass() == ["agent"]
    assert leader.status() == {}
    await leader.run_pass(caught_up=False)
    assert (leader.status()["mode"], leader.replicas()) == ("Recommend", 1)


async def test_namesake_that_the_watch_told_of_is_not_dropped_with_the_old_one(
    leader: Leader,
) -> None:
    leader.busy("agent")
    leader.server.faults.append(Fault("patch", POLICY_STATUS, status=404))

    def replace(verb: str, what: str) -> None:
        if (verb, what) == ("patch", POLICY_STATUS):
            leader.delete_policy()
            leader.policy(uid="another")
            leader.learn()

    leader.server.on_request = replace
    await leader.run_pass()
    assert leader.entry().uid == "another"


async def test_target_of_an_unknown_state_is_left_as_it_is(leader: Leader) -> None:
    leader.busy("agent")
    await leader.run_pass()
    before = leader.status()
    await leader.targets.close()
    leader.server.faults.append(Fault("list", "deployments", times=-1))
    await leader.run_pass(caught_up=False)
    assert leader.status() == before


async def test_invalid_policy_is_told_and_disturbs_no_other(leader: Leader) -> None:
    leader.busy("good")
    leader.agent("bad", queue=20)
    leader.policy("bad", minReplicas=7, maxReplicas=2)
    await leader.run_pass()
    assert leader.conditions("bad")["Ready"] == ("False", "InvalidSpec")
    assert (leader.replicas("bad"), leader.replicas("good") > 5) == (1, True)


async def test_paused_policy_is_told_and_does_nothing(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy(mode="Paused")
    await leader.run_pass()
    before = len(leader.writes())
    await leader.run_pass()
    assert leader.conditions()["ScalingActive"][0] == "False"
    assert (leader.new_writes(before), leader.metrics.requests) == ([], [])


async def test_policy_that_was_paused_removes_nothing_in_a_lull(leader: Leader) -> None:
    """What was needed before the pause is outdated: what is needed now has to show for a window."""
    leader.agent(replicas=20, active=70)
    leader.policy(maxReplicas=40, demand={})
    await leader.run_pass()
    await leader.run_pass()
    count = leader.replicas()
    leader.policy(maxReplicas=40, demand={}, mode="Paused")
    await leader.run_pass()
    leader.policy(maxReplicas=40, demand={})
    leader.load(active=2)
    for seconds in (600, 15, 15):
        await leader.run_pass(after=seconds)
        assert leader.replicas() == count >= 20


async def test_two_policies_on_a_target_have_one_owner_until_it_goes(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy("first", scaleTargetRef={"name": "agent"}, maxReplicas=3)
    leader.policy("second", scaleTargetRef={"name": "agent"}, maxReplicas=6, minute=1)
    await leader.run_pass()
    assert (leader.replicas(), leader.conditions("second")["Conflict"][0]) == (3, "True")
    leader.delete_policy("first")
    await leader.run_pass()
    assert (leader.replicas(), leader.conditions("second")["Conflict"][0]) == (6, "False")


async def test_foreign_writer_is_named_and_overruled(leader: Leader) -> None:
    leader.agent(queue=20)
    leader.policy()
    await leader.run_pass()
    decided = leader.replicas()
    leader.settle()
    leader.set_replicas(2, manager="argocd-controller")
    leader.settle()
    await leader.run_pass()
    assert leader.conditions()["ReplicasContested"][0] == "True"
    assert "argocd-controller" in leader.status()["message"]
    assert leader.replicas() == decided


async def test_missing_metrics_shrink_nothing_and_recover(leader: Leader) -> None:
    leader.agent(replicas=4, active=14)
    leader.policy()
    await leader.run_pass()
    steady = leader.replicas()
    leader.settle()
    leader.gauges.is_down = True
    for _ in range(3):
        await leader.run_pass(after=30)
    assert (leader.replicas(), leader.conditions()["MetricsAvailable"][0]) == (steady, "False")
    leader.gauges.is_down = False
    leader.load(active=14)
    await leader.run_pass()
    assert (leader.replicas(), leader.conditions()["MetricsAvailable"][0]) == (steady, "True")


@pytest.mark.parametrize("lost_at", [("patch", POLICY_STATUS), ACT])
async def test_nothing_is_written_after_leadership_is_lost(
    tmp_path: Path, lost_at: tuple[str, str]
) -> None:
    is_leader, before = True, 0
    async with leading(tmp_path, may_write=lambda: is_leader) as leader:
        leader.busy(*(f"p{number}" for number in range(40)))

        def lose(verb: str, what: str) -> None:
            nonlocal is_leader, before
            if is_leader and (verb, what) == lost_at:
                is_leader, before = False, len(leader.writes())

        leader.server.on_request = lose
        with pytest.raises(LeadershipLostError):
            await leader.run_pass()
        # What had left for the server by then arrives; nothing leaves afterwards.
        on_the_way = leader.cycle._parts.api.limits.concurrency
        assert len(leader.new_writes(before)) <= on_the_way
        assert lost_at == ACT or ACT not in leader.new_writes(before)
        before = len(leader.writes())
        with pytest.raises(LeadershipLostError):
            await leader.run_pass()
        assert leader.new_writes(before) == []


@pytest.mark.parametrize("end", ["paused", "deleted"])
async def test_policy_that_ends_while_its_scaling_waits_for_the_right_to_write_is_not_scaled(
    tmp_path: Path, end: str
) -> None:
    asked = 0

    def end_in_the_middle() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:  # its status is written
            if end == "paused":
                scene.policy("a", mode="Paused")
            else:
                scene.delete_policy("a")
            scene.learn()
        return True

    async with leading(tmp_path, may_write=end_in_the_middle) as scene:
        scene.busy("a")
        before = scene.replicas("a")
        await scene.run_pass()
        assert asked >= 2
        assert (scene.replicas("a"), scene.server.count(*ACT)) == (before, 0)


async def test_load_does_not_wait_for_the_records_of_others(patient: Leader) -> None:
    crowd = [f"idle-{number}" for number in range(80)]
    for name in crowd:
        patient.agent(name)
        patient.policy(name)
    patient.busy("z")
    await patient.run_pass()
    assert patient.writes()[:3] == [("patch", POLICY_STATUS), ACT, ("patch", POLICY_STATUS)]
    assert patient.server.count("patch", POLICY_STATUS) == len(crowd) + 2


async def test_requests_to_the_api_server_are_counted(leader: Leader) -> None:
    leader.busy("agent")
    await leader.run_pass()
    counted = leader.telemetry.api_requests.labels(verb="patch", resource=POLICY_STATUS)
    assert counted._value.get() == leader.server.count("patch", POLICY_STATUS) == 2
