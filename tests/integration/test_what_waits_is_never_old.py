"""What waits in a line: it follows no spec that is gone, and keeps nobody from growing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentscaler.control.proceeding import PLACES
from tests.fakes.apiserver import Fault
from tests.fakes.cluster import EAGER, POLICY_STATUS, SCALE
from tests.fakes.connected import QUICK, until
from tests.fakes.leadership import Leader, leading

ACT = ("patch", SCALE)
LIST_PODS = ("list", "pods")
FULL = 16  # works at once in one line
LIMITS = replace(QUICK, concurrency=PLACES, timeout_seconds=5)


@pytest.fixture
async def leader(tmp_path: Path) -> AsyncIterator[Leader]:
    async with leading(tmp_path, limits=LIMITS) as made:
        yield made


def names(count: int) -> list[str]:
    return [f"agent{number:03}" for number in range(count)]


async def have(leader: Leader, *agents: str, replicas: int = 1, **spec: Any) -> None:
    """Have these agents and their policies, of which all is on record."""
    for name in agents:
        leader.agent(name, replicas=replicas, active=replicas)
        leader.policy(name, **spec)
    await leader.run_pass()


async def take(leader: Leader, *agents: str) -> None:
    """Take these through a pass, and wait for nothing that it begins."""
    await leader.cycle.run([leader.entry(name) for name in agents])


@pytest.mark.parametrize(
    "change",
    [{"mode": "Paused"}, {"maxReplicas": 2}, {"scaleTargetRef": {"name": "other"}}],
    ids=["paused", "bounded", "turned away"],
)
async def test_growth_that_waits_does_not_follow_a_spec_that_is_gone(
    leader: Leader, change: dict[str, Any]
) -> None:
    leader.agent("other")
    agents = names(FULL + 1)
    await have(leader, *agents)
    late = agents[-1]
    for name in agents:
        leader.load(name, queue=20)
    leader.server.faults.append(Fault(*ACT, times=FULL, delay_seconds=1.5))
    await take(leader, *agents)
    leader.policy(late, **change)
    leader.learn()
    await leader.works.ended()
    assert leader.replicas(late) == 1
    assert leader.replicas(agents[0]) > 1
    assert not leader.history(late)


async def test_growth_overtakes_those_that_shrink(leader: Leader) -> None:
    shrinking = names(3 * FULL)
    await have(leader, "busy")
    await have(leader, *shrinking, replicas=4)
    for name in shrinking:
        leader.load(name)
    leader.load("busy", queue=20)
    leader.clock.date = leader.clock.date.replace(minute=5)
    leader.server.faults.append(Fault(*ACT, times=-1, delay_seconds=0.2))
    await take(leader, *shrinking)
    await take(leader, "busy")
    assert leader.replicas("busy") > 1
    assert sum(leader.replicas(name) == 4 for name in shrinking) > FULL
    await leader.works.ended()


async def test_growth_overtakes_lists_of_pods(leader: Leader) -> None:
    shrinking = names(2 * PLACES)
    await have(leader, "busy")
    await have(leader, *shrinking, replicas=4, drain={}, demand=EAGER)
    for name in shrinking:
        leader.load(name)
    leader.load("busy", queue=20)
    leader.clock.date = leader.clock.date.replace(minute=1)
    leader.server.faults.append(Fault(*LIST_PODS, times=-1, delay_seconds=0.3))
    await take(leader, *shrinking)
    await until(lambda: leader.server.count(*LIST_PODS))
    await take(leader, "busy")
    await until(lambda: leader.replicas("busy") > 1)
    assert leader.server.count(*LIST_PODS) < PLACES
    await leader.works.ended()


async def test_oldest_statuses_are_written_first(leader: Leader) -> None:
    """More is to be told in each pass than can be written until the next one."""
    agents = names(3 * FULL)
    await have(leader, *agents, mode="Recommend")
    told = {name: leader.status(name)["lastUpdateTime"] for name in agents}
    for ready in (2, 3, 2):
        for name in agents:
            leader.set_replicas(ready, name)
            leader.settle(name)
            leader.load(name, active=ready)
        await leader.targets.settled()
        await until(leader._has_seen_all)
        leader.clock.date = leader.clock.date.replace(minute=leader.clock.date.minute + 1)
        leader.server.faults.append(Fault("patch", POLICY_STATUS, times=-1, delay_seconds=0.3))
        await take(leader, *agents)
        leader.works.withdraw(entry.key for entry in leader.registry)
        await leader.works.ended()
    assert all(leader.status(name)["lastUpdateTime"] > told[name] for name in agents)


async def test_scaling_that_ends_after_the_target_changed_teaches_nothing_of_the_new_one(
    leader: Leader,
) -> None:
    leader.agent("other")
    await have(leader, "agent")

    def turn_away(verb: str, what: str) -> None:
        if (verb, what) == ACT:
            leader.policy(scaleTargetRef={"name": "other"})
            leader.learn()

    leader.server.on_request = turn_away
    leader.load(queue=20)
    await take(leader, "agent")
    await leader.works.ended()
    assert leader.replicas() > 1
    assert (leader.entry().replicas, leader.entry().memory.last_up) == (None, None)
