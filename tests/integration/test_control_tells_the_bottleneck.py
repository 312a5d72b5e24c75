"""The bottleneck reaches the status with the pass after the judgement, and only when it changes."""

from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agentscaler.control import placing
from agentscaler.control.analyzer import Analyzer
from agentscaler.decide.snapshot import Missing
from agentscaler.observe.expressions import Agent
from agentscaler.observe.profiles import Profile
from agentscaler.report import status
from tests.fakes.apiserver import Fault
from tests.fakes.cluster import POLICY_STATUS
from tests.fakes.leadership import Leader, leading

AGENT = ("agents", "agent")
RECORD = ("patch", POLICY_STATUS)


@pytest.fixture
async def leader(tmp_path: Path) -> AsyncIterator[Leader]:
    async with leading(tmp_path) as made:
        yield made


async def judge(leader: Leader, refused: float) -> None:
    async def profiles() -> Mapping[Agent, Profile]:
        return {AGENT: Profile(refused={"openai": refused})}

    look = partial(placing.look, leader.api, leader.targets)
    await Analyzer(leader.registry, profiles, look, leader.clock).judge()


async def settled(leader: Leader) -> int:
    """Let an agent stand as it is, and count what was written until then."""
    leader.agent(replicas=3, active=8)
    leader.policy()
    for _ in range(3):
        await leader.run_pass()
        leader.settle()
        leader.load(active=8)
    return len(leader.writes())


async def test_verdict_is_written_with_the_next_pass_and_once(leader: Leader) -> None:
    before = await settled(leader)
    await judge(leader, 0.5)
    for _ in range(2):
        await leader.run_pass()
    assert leader.new_writes(before) == [RECORD]
    told = leader.status()["bottleneck"]
    assert (told["verdict"], told["replicasHelp"]) == ("ProviderLimit", "No")
    assert any(
        line.startswith("Bottleneck: openai refuses 50%") for line in leader.status()["story"]
    )
    await judge(leader, 0.6)
    await leader.run_pass()
    assert leader.new_writes(before) == [RECORD]
    await judge(leader, 0.0)
    await leader.run_pass()
    assert leader.new_writes(before) == [RECORD, RECORD]
    assert "bottleneck" not in leader.status()


async def test_agent_that_nothing_holds_back_is_never_written_for_it(leader: Leader) -> None:
    before = await settled(leader)
    await judge(leader, 0.0)
    await leader.run_pass()
    await leader.run_pass(after=status.HEARTBEAT.total_seconds() + 1)
    assert leader.new_writes(before) == []


async def test_restart_keeps_the_verdict_and_tells_it_no_second_time(leader: Leader) -> None:
    before = await settled(leader)
    await judge(leader, 0.5)
    await leader.run_pass()
    leader.restart()
    for _ in range(2):
        await leader.run_pass()
    await judge(leader, 0.5)
    await leader.run_pass()
    assert leader.new_writes(before) == [RECORD]


async def test_lack_of_replicas_is_told_only_if_it_outlasts_a_look(leader: Leader) -> None:
    leader.agent(replicas=2, queue=20, active=8)
    leader.policy(maxReplicas=2)
    for _ in range(2):
        await leader.run_pass()
    before = len(leader.writes())
    await judge(leader, 0.0)
    await leader.run_pass()
    assert leader.new_writes(before) == []
    await judge(leader, 0.0)
    await leader.run_pass()
    assert leader.status()["bottleneck"]["verdict"] == "Replicas"
    leader.restart()
    await leader.run_pass()
    await judge(leader, 0.0)
    await leader.run_pass()
    assert leader.new_writes(before) == [RECORD]
    leader.load(active=5)
    for _ in range(2):
        await leader.run_pass()
        await judge(leader, 0.0)
    assert "bottleneck" not in leader.status()
    leader.load(queue=20, active=8)
    await leader.run_pass()
    await judge(leader, 0.0)  # the first look that finds it again
    await leader.run_pass()
    assert "bottleneck" not in leader.status()


def unready_pods(leader: Leader, *conditions: dict[str, Any]) -> None:
    """Have one replica that is ready, and two pods in this condition."""
    counts = {"readyReplicas": 1, "updatedReplicas": 3}
    leader.server.objects.merge("deployments", ("agents", "agent"), {"status": counts})
    for number in range(2):
        metadata = {"namespace": "agents", "name": f"agent-{number}", "labels": {"app": "agent"}}
        status = {"phase": "Pending", "conditions": list(conditions)}
        leader.server.objects.put("pods", {"metadata": metadata, "status": status})


NO_NODE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
GATED = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
PLACED = {"type": "PodScheduled", "status": "True"}


@pytest.mark.parametrize(
    ("condition", "verdict", "said"),
    [
        (NO_NODE, "ClusterFull", "no node takes 2 of them"),
        (PLACED, "ReplicasUnready", "although nodes took them"),
        (GATED, "ReplicasUnready", "they do not start"),
    ],
    ids=["no node", "placed", "held by somebody"],
)
async def test_full_cluster_is_told_from_pods_that_do_not_start(
    leader: Leader, condition: dict[str, Any], verdict: str, said: str
) -> None:
    await settled(leader)
    unready_pods(leader, condition)
    await leader.run_pass(after=3600)
    await judge(leader, 0.0)
    await leader.run_pass()
    told = leader.status()["bottleneck"]
    assert (told["verdict"], told["replicasHelp"]) == (verdict, "No")
    assert said in told["message"]


async def test_operator_without_the_right_to_list_pods_does_not_guess(leader: Leader) -> None:
    await settled(leader)
    unready_pods(leader, NO_NODE)
    leader.server.faults.append(Fault("list", "pods", times=-1, status=403))
    await leader.run_pass(after=3600)
    await judge(leader, 0.0)
    await leader.run_pass()
    told = leader.status()["bottleneck"]
    assert told["verdict"] == "ReplicasUnready"
    assert "pods may not be listed" in told["message"]


async def test_command_line_finds_the_same_pods_without_following_targets(leader: Leader) -> None:
    await settled(leader)
    unready_pods(leader, NO_NODE)
    (entry,) = leader.registry
    assert entry.policy is not None
    assert await placing.look_once(leader.api, entry.policy) == 2
    leader.server.objects.remove("deployments", "agents", "agent")
    assert isinstance(await placing.look_once(leader.api, entry.policy), Missing)


async def test_pause_takes_the_verdict_back(leader: Leader) -> None:
    await settled(leader)
    await judge(leader, 0.5)
    await leader.run_pass()
    leader.policy(mode="Paused")
    await leader.run_pass()
    assert "bottleneck" not in leader.status()
    await judge(leader, 0.5)
    await leader.run_pass()
    assert "bottleneck" not in leader.status()
