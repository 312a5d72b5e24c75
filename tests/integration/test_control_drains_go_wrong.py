"""What goes wrong on the way of a step down leaves no pod behind, and costs no busy one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentscaler.act.pods import read
from agentscaler.control.draining import names
from agentscaler.decide.draining import Retreat
from agentscaler.errors import ForbiddenError
from tests.fakes.apiserver import Fault
from tests.fakes.cluster import EAGER, SCALE, SLOTS
from tests.fakes.leadership import leading
from tests.fakes.podded import Fleet, passes


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with leading(tmp_path) as leader:
        yield Fleet(leader)


async def test_pod_that_is_busy_again_before_it_went_is_not_preferred_any_more(
    fleet: Fleet,
) -> None:
    """With the cost of the idle one it would be as likely to go."""
    fleet.start({"a": 1, "b": 1, "c": 9})
    await passes(fleet, 2)
    since = fleet.marked_at("b")
    fleet.serve({"a": 1, "b": 0, "c": 9})
    fleet.leader.server.faults.append(Fault("patch", SCALE, status=403))
    await fleet.leader.run_pass(after=1)
    assert fleet.cost("b") == "-1000000"
    fleet.serve({"a": 0, "b": 1, "c": 9})
    await passes(fleet, 1)
    assert fleet.names() == ["b", "c"]
    assert (fleet.cost("b"), fleet.marked_at("b")) == (None, since)


async def test_pod_whose_release_fails_stays_on_record(fleet: Fleet) -> None:
    fleet.start({"a": 1, "b": 1}, detachable=True)
    await passes(fleet, 2)
    entry, refused = fleet.leader.entry(), Fault("patch", "pods", times=-1, status=403)
    assert entry.policy is not None
    [chosen] = entry.draining
    target = fleet.leader.targets.find("agents", entry.policy.spec.scale_target_ref)
    assert target is not None
    fleet.leader.server.faults.append(refused)
    spared = read(fleet.objects.get("pods", "agents", chosen), target.selector)
    with pytest.raises(ForbiddenError):
        await fleet.leader.drains.choose(entry, target, Retreat(2, spared=(spared,)))
    assert entry.draining == names(Retreat(2, spared=(spared,))) == (chosen,)


async def test_release_without_a_selector_touches_no_pod_of_others(fleet: Fleet) -> None:
    fleet.start({"a": 1, "b": 1}, detachable=True)
    await passes(fleet, 2)
    [chosen] = fleet.leader.status()["draining"]
    since = fleet.marked_at(chosen)
    fleet.leader.agent("other", active=SLOTS)
    place = "deployments", ("agents", "other")
    fleet.leader.server.objects.merge(*place, {"spec": {"selector": {"matchLabels": None}}})
    fleet.leader.policy("other", drain={}, demand=EAGER)
    await passes(fleet, 1)
    fleet.leader.entry("other").draining = ("long-gone",)
    await passes(fleet, 2)
    assert fleet.leader.entry("other").draining == ()
    assert (fleet.serving(chosen), fleet.marked_at(chosen)) == ("false", since)


async def test_pods_of_the_target_before_are_not_held_by_the_count_of_the_new_one(
    fleet: Fleet,
) -> None:
    fleet.start({"a": 0, "b": 0, "c": 0}, detachable=True)
    await passes(fleet, 2)
    fleet.serve({"a": 0, "b": 0, "c": 0}, later=5)
    fleet.leader.server.faults.append(Fault("patch", SCALE, times=-1, status=403))
    await fleet.leader.run_pass(after=5)
    chosen = fleet.leader.status()["draining"]
    assert {fleet.cost(name) for name in chosen} == {"-1000000"}
    fleet.leader.agent("other", replicas=1, active=SLOTS)
    fleet.leader.policy(drain={}, demand=EAGER, scaleTargetRef={"name": "other"})
    await passes(fleet, 2)
    await fleet.leader.drains.release_left_behind()
    assert [(fleet.serving(name), fleet.cost(name)) for name in chosen] == [
        ("true", None) for _ in chosen
    ]
    await passes(fleet, 2)
    assert "draining" not in fleet.leader.status()
