"""The bottleneck reaches the status with the pass after the judgement, and only when it changes."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from agentscaler.control.analyzer import Analyzer
from agentscaler.observe.expressions import Agent
from agentscaler.observe.profiles import Profile
from agentscaler.report import status
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

    await Analyzer(leader.registry, profiles, leader.clock).judge()


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
