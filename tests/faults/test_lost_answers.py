"""A status is written and its answer is lost: what is on record is looked up, not assumed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.apiserver import Fault
from tests.fakes.cluster import POLICY_STATUS
from tests.fakes.leadership import Leader, leading


@pytest.fixture
async def leader(tmp_path: Path) -> AsyncIterator[Leader]:
    async with leading(tmp_path) as made:
        made.agent(active=2)
        made.policy()
        await made.run_pass()
        yield made


def held(leader: Leader) -> str:
    conditions: list[dict[str, str]] = leader.status()["conditions"]
    return next(each["status"] for each in conditions if each["type"] == "MetricsAvailable")


async def lose_the_answer(leader: Leader) -> None:
    """Have a status written that tells of missing metrics, and its answer lost."""
    leader.server.faults.append(Fault("patch", POLICY_STATUS, carried_out=True))
    leader.gauges.is_down = True
    await leader.run_pass(after=30)
    assert held(leader) == "False"


async def test_what_was_written_without_an_answer_does_not_stay(leader: Leader) -> None:
    await lose_the_answer(leader)
    leader.gauges.is_down = False
    await leader.run_pass(after=30)
    assert held(leader) == "True"


async def test_spec_that_changed_since_is_not_scaled_by_the_one_before(leader: Leader) -> None:
    """The watch has not told of it yet: it is found when what is on record is looked up."""
    await lose_the_answer(leader)
    leader.gauges.is_down = False
    leader.load(active=40)
    leader.policy(mode="Recommend")
    before = leader.replicas()
    assert await leader.run_pass(after=30, caught_up=False) == ["agent"]
    assert leader.replicas() == before
    await leader.run_pass(after=1)
    assert leader.replicas() == before < leader.status()["desiredReplicas"]


async def test_once_it_is_known_again_nothing_more_is_read_or_written(leader: Leader) -> None:
    await lose_the_answer(leader)
    leader.gauges.is_down = False
    await leader.run_pass(after=1)
    before = len(leader.server.requests)
    await leader.run_pass(after=1)
    assert len(leader.server.requests) == before
