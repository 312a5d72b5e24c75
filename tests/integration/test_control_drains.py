"""Pods that are to go are marked, waited for and stamped; those that may stay are released."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.fakes.apiserver import Fault
from tests.fakes.cluster import EAGER, POLICY_STATUS, SCALE, SLOTS
from tests.fakes.connected import QUICK, until
from tests.fakes.leadership import leading
from tests.fakes.objects import Body
from tests.fakes.podded import Fleet, passes

PATCH_POD = ("patch", "pods")
LIST_PODS = ("list", "pods")


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with leading(tmp_path) as leader:
        yield Fleet(leader)


async def test_idle_pods_are_stamped_and_go_while_busy_ones_stay(fleet: Fleet) -> None:
    fleet.start({"a": 2, "b": 0, "c": 3, "d": 0})
    await passes(fleet)
    assert fleet.names() == ["a", "c"]
    assert fleet.leader.history()[0]["reason"] == "Draining"
    assert fleet.leader.status()["draining"] == ["a"]


async def test_pod_is_stamped_before_the_count_is_set_and_after_it_is_recorded(
    fleet: Fleet,
) -> None:
    fleet.start({"a": 2, "b": 0})
    await passes(fleet)
    writes = [each for each in fleet.leader.writes() if each[1] != "events"]
    act = writes.index(("patch", SCALE))
    assert writes[act - 1] == PATCH_POD
    assert ("patch", POLICY_STATUS) in writes[: act - 1]


async def test_pods_are_not_looked_at_unless_some_are_to_go(fleet: Fleet) -> None:
    fleet.start({"a": 2, "b": 2})
    fleet.leader.load(active=SLOTS)
    await passes(fleet)
    assert fleet.leader.server.count(*LIST_PODS) == 0


async def test_all_policies_that_shrink_ask_for_pods_in_one_query(fleet: Fleet) -> None:
    fleet.start({"a": 2, "b": 2})
    for name in ("second", "third"):
        fleet.leader.agent(name, replicas=2)
        for number in range(2):
            fleet.put(f"{name}-{number}", {"app": name})
        fleet.leader.policy(name, drain={}, demand=EAGER)
    await passes(fleet, 2)
    fleet.leader.metrics.requests.clear()
    lists = fleet.leader.server.count(*LIST_PODS)
    await fleet.leader.run_pass()
    asked = [path for path, _ in fleet.leader.metrics.requests]
    assert sum("pod%29" in path for path in asked) == 1
    assert fleet.leader.server.count(*LIST_PODS) == lists + 3


async def test_detachable_pod_leaves_service_first_and_goes_once_it_is_idle(fleet: Fleet) -> None:
    fleet.start({"a": 1, "b": 0}, detachable=True)
    await passes(fleet, 2)
    assert (fleet.leader.replicas(), fleet.serving("b")) == (2, "false")
    fleet.serve({"a": 1, "b": 0}, later=5)
    await passes(fleet, 1, after=5)
    assert fleet.names() == ["a"]
    assert fleet.serving("a") == "true"


async def test_pod_serves_again_when_demand_returns(fleet: Fleet) -> None:
    fleet.start({"a": 1, "b": 1}, detachable=True)
    await passes(fleet, 2)
    assert fleet.serving("a") == "false"
    fleet.leader.load(active=2 * SLOTS)
    await passes(fleet, 2)
    assert (fleet.serving("a"), fleet.is_marked("a")) == ("true", False)
    assert "draining" not in fleet.leader.status()


async def have_patched(fleet: Fleet, in_flight: dict[str, float]) -> None:
    """Shrink the fleet as far as it is idle, while no controller removes a pod."""
    before = fleet.leader.replicas()
    for _ in range(2):
        await fleet.leader.run_pass()
    fleet.serve(in_flight, later=5)
    await fleet.leader.run_pass(after=5)
    assert fleet.leader.replicas() < before


async def test_pods_that_no_controller_removed_serve_again_when_demand_returns(
    fleet: Fleet,
) -> None:
    idle = {"a": 0.0, "b": 0.0, "c": 0.0}
    fleet.start(idle, detachable=True)
    await have_patched(fleet, idle)
    assert {fleet.serving(name) for name in ("a", "b")} == {"false"}
    fleet.leader.load(active=3 * SLOTS, queue=SLOTS)
    for _ in range(3):
        await fleet.leader.run_pass()
    assert fleet.leader.replicas() >= 3
    fleet.follow()
    assert [(fleet.serving(name), fleet.cost(name)) for name in idle] == [("true", None)] * 3
    assert "draining" not in await status_in_the_end(fleet)


async def status_in_the_end(fleet: Fleet) -> Body:
    """Let what was done be told, and see that nothing more is asked of the pods."""
    await passes(fleet, 2)
    lists = fleet.leader.server.count(*LIST_PODS)
    await passes(fleet, 2)
    assert fleet.leader.server.count(*LIST_PODS) == lists
    return fleet.leader.status()


async def test_chosen_pod_serves_again_when_another_went_in_its_place(fleet: Fleet) -> None:
    fleet.start({"a": 0, "b": 1}, detachable=True)
    await have_patched(fleet, {"a": 0, "b": 1})
    assert fleet.serving("a") == "false"
    fleet.unready.add("b")  # what is not ready is removed before any cost counts
    fleet.follow()
    assert fleet.names() == ["a"]
    await passes(fleet, 2)
    assert (fleet.serving("a"), fleet.cost("a")) == ("true", None)
    assert "draining" not in await status_in_the_end(fleet)


async def test_pod_that_is_on_its_way_out_stays_the_first_to_go(fleet: Fleet) -> None:
    fleet.start({"a": 0, "b": 1, "c": 1}, detachable=True)
    await have_patched(fleet, {"a": 0, "b": 1, "c": 1})
    assert fleet.leader.replicas() == 2
    [waiting] = [name for name in ("b", "c") if fleet.serving(name) == "false"]
    fleet.leader.policy(drain={}, demand=EAGER, minReplicas=2)
    await fleet.leader.run_pass()
    assert (fleet.serving(waiting), fleet.cost("a")) == ("true", "-1000000")
    fleet.follow()
    assert fleet.names() == ["b", "c"]


async def test_busy_pod_goes_after_maxwait_and_that_is_told(fleet: Fleet) -> None:
    fleet.start({"a": 1, "b": 2}, drain={"maxWait": "60s"})
    await passes(fleet, 3)
    assert fleet.leader.replicas() == 2
    fleet.serve({"a": 1, "b": 2}, later=70)
    await passes(fleet, 1, after=70)
    assert fleet.names() == ["b"]
    assert fleet.leader.history()[0]["reason"] == "DrainForced"
    await fleet.leader.record.post_due_events()
    assert {event["type"] for event in fleet.leader.events("DrainForced")} == {"Warning"}


@pytest.mark.parametrize("broken", ["metrics", "pods", "rights"])
async def test_nothing_goes_while_the_pods_are_unknown_however_long(
    fleet: Fleet, broken: str
) -> None:
    fleet.start({"a": 1, "b": 0}, drain={"maxWait": "5s"})
    if broken == "metrics":
        fleet.leader.gauges.pods_down = True
    else:
        status = 403 if broken == "rights" else 500
        fleet.leader.server.faults.append(Fault(*LIST_PODS, times=-1, status=status))
    await passes(fleet, 6, after=10)
    assert fleet.leader.replicas() == 2
    assert fleet.leader.status()["decision"]["reason"] == "PodsUnknown"


async def test_chosen_pods_serve_again_once_nothing_is_known_of_them_for_long(fleet: Fleet) -> None:
    busy = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}
    fleet.start(busy, detachable=True, drain={"maxWait": "60s"})
    await passes(fleet, 2)
    assert [fleet.serving(name) for name in busy].count("false") == 3
    fleet.leader.gauges.pods_down = True
    fleet.leader.load(active=SLOTS)
    await passes(fleet, 6, after=10)
    assert [fleet.serving(name) for name in busy].count("false") == 3
    await passes(fleet, 6, after=10)
    assert [fleet.serving(name) for name in busy] == ["true"] * 4
    assert fleet.leader.status()["decision"]["reason"] == "PodsUnknown"
    assert fleet.leader.replicas() == 4


@pytest.mark.parametrize("end", ["deleted", "paused", "turned off"])
async def test_chosen_pods_are_released_when_their_policy_ends(fleet: Fleet, end: str) -> None:
    fleet.start({"a": 1, "b": 1}, detachable=True)
    await passes(fleet, 2)
    assert fleet.serving("a") == "false"
    match end:
        case "deleted":
            fleet.leader.delete_policy()
            fleet.leader.registry.drop("agents/agent")
            fleet.leader.drains.forget("agents/agent")
            await fleet.leader.run_pass(caught_up=False)
        case "paused":
            fleet.leader.policy(drain={}, demand=EAGER, mode="Paused")
        case _:
            fleet.leader.policy(demand=EAGER, minReplicas=2)
    if end != "deleted":
        await passes(fleet, 2)
    assert (fleet.serving("a"), fleet.is_marked("a")) == ("true", False)


async def test_who_takes_over_releases_pods_that_another_has_chosen(fleet: Fleet) -> None:
    fleet.start({"a": 1, "b": 1}, detachable=True)
    await passes(fleet, 2)
    fleet.leader.restart()
    fleet.leader.load(active=2 * SLOTS)
    await passes(fleet, 2)
    assert fleet.serving("a") == "true"


@pytest.mark.parametrize("end", ["paused", "halted"])
async def test_who_takes_over_releases_pods_of_a_policy_that_does_no_more(
    fleet: Fleet, end: str
) -> None:
    fleet.start({"a": 1, "b": 1}, detachable=True)
    await passes(fleet, 2)
    assert fleet.serving("a") == "false"
    fleet.leader.restart()
    if end == "paused":
        fleet.leader.policy(drain={}, demand=EAGER, mode="Paused")
    else:
        await fleet.leader.rival()
    await passes(fleet, 3)
    assert (fleet.serving("a"), fleet.is_marked("a")) == ("true", False)
    assert "draining" not in fleet.leader.status()


@pytest.mark.parametrize("fault", [500, 409, 404])
async def test_pod_that_cannot_be_marked_or_stamped_costs_no_other_one(
    fleet: Fleet, fault: int
) -> None:
    fleet.start({"a": 2, "b": 0, "c": 2})
    fleet.leader.server.faults.append(Fault(*PATCH_POD, times=2, status=fault))
    await passes(fleet, 1)
    assert fleet.names() == ["a", "b", "c"]
    await passes(fleet, 4)
    assert fleet.names() == ["a", "c"]


async def test_release_that_fails_is_tried_again(fleet: Fleet) -> None:
    fleet.start({"a": 1, "b": 1}, detachable=True)
    await passes(fleet, 2)
    fleet.leader.load(active=2 * SLOTS)
    fleet.leader.server.faults.append(Fault(*PATCH_POD, times=1, status=500))
    await passes(fleet, 1)
    assert fleet.serving("a") == "false"
    await passes(fleet, 1)
    assert fleet.serving("a") == "true"


async def test_growth_of_another_does_not_wait_for_a_look_at_pods(fleet: Fleet) -> None:
    fleet.start({"a": 1, "b": 0})
    fleet.leader.agent("other", queue=20)
    fleet.leader.policy("other", demand=EAGER)
    await passes(fleet, 1)
    fleet.leader.settle("other")
    fleet.leader.load("other", queue=90)
    fleet.leader.server.faults.append(Fault(*LIST_PODS, times=-1, hang=True))
    before = fleet.leader.replicas("other")
    passing = asyncio.create_task(fleet.leader.run_pass())
    await until(lambda: fleet.leader.replicas("other") > before)
    assert not passing.done()
    await passing
    assert fleet.leader.status()["decision"]["reason"] == "PodsUnknown"


async def test_no_pass_waits_for_what_a_policy_that_is_gone_left_behind(fleet: Fleet) -> None:
    fleet.start({"a": 1, "b": 1}, detachable=True)
    await passes(fleet, 2)
    fleet.leader.drains.forget("agents/agent")
    lists = fleet.leader.server.count(*LIST_PODS)
    await fleet.leader.cycle.run([])
    assert fleet.leader.server.count(*LIST_PODS) == lists
    await fleet.leader.drains.release_left_behind()
    assert fleet.serving("a") == "true"


async def test_what_may_not_be_released_is_told_once_and_seldom_tried(fleet: Fleet) -> None:
    fleet.start({"a": 1, "b": 1}, detachable=True)
    await passes(fleet, 2)
    fleet.leader.drains.forget("agents/agent")
    fleet.leader.server.faults.append(Fault(*LIST_PODS, times=-1, status=403))
    before = fleet.leader.server.count(*LIST_PODS)
    with capture_logs() as told:
        for _ in range(10):
            await fleet.leader.drains.release_left_behind()
        fleet.leader.clock.ahead += 121
        await fleet.leader.drains.release_left_behind()
    assert [line["event"] for line in told] == ["pods may not be released"]
    assert fleet.leader.server.count(*LIST_PODS) == before + 2
    fleet.leader.server.faults.clear()
    fleet.leader.clock.ahead += 121
    await fleet.leader.drains.release_left_behind()
    assert fleet.serving("a") == "true"


async def test_pods_of_a_policy_that_was_made_again_serve_again(fleet: Fleet) -> None:
    fleet.start({"a": 1, "b": 1}, detachable=True)
    await passes(fleet, 2)
    assert fleet.serving("a") == "false"
    fleet.leader.load(active=2 * SLOTS)
    fleet.leader.delete_policy()
    fleet.leader.policy(uid="another", drain={}, demand=EAGER)
    await passes(fleet, 1)
    assert fleet.serving("a") == "true"


async def test_growth_finds_a_place_beside_pods_that_are_not_answered_for(tmp_path: Path) -> None:
    async with leading(tmp_path, limits=replace(QUICK, concurrency=6)) as leader:
        fleet = Fleet(leader)
        fleet.start({f"p{number}": 0 for number in range(30)})
        leader.agent("other", queue=20)
        leader.policy("other", demand=EAGER)
        await passes(fleet, 1)
        leader.settle("other")
        leader.server.faults.append(Fault(*PATCH_POD, times=-1, hang=True))
        before, patched = leader.replicas("other"), leader.server.count(*PATCH_POD)
        meanwhile = partial(leader.load, "other", queue=90)
        passing = asyncio.create_task(leader.run_pass(meanwhile=meanwhile))
        await until(lambda: leader.replicas("other") > before)
        assert leader.server.count(*PATCH_POD) - patched <= 4
        leader.server.cut()
        await passing


async def test_pods_that_are_not_answered_for_hold_up_those_of_no_other_policy(
    fleet: Fleet,
) -> None:
    fleet.start({f"p{number}": 0 for number in range(30)})
    await passes(fleet, 1)
    patched = fleet.leader.server.count(*PATCH_POD)
    fleet.leader.server.faults.append(Fault(*PATCH_POD, times=4, hang=True))
    await passes(fleet, 1)
    assert fleet.leader.server.count(*PATCH_POD) == patched + 4
    await passes(fleet, 1)
    assert len(fleet.names()) == 1


async def test_late_release_frees_no_pod_that_another_policy_chose_since(fleet: Fleet) -> None:
    fleet.start({"a": 1, "b": 1}, detachable=True)
    await passes(fleet, 2)
    fleet.leader.delete_policy()
    fleet.leader.drains.forget("agents/agent")
    fleet.leader.server.faults.append(Fault(*LIST_PODS, times=1, hang=True))
    releasing = asyncio.create_task(fleet.leader.drains.release_left_behind())
    await until(lambda: fleet.leader.server.faults[0].times == 0)
    fleet.leader.policy(uid="another", drain={}, demand=EAGER)
    await passes(fleet, 3)
    [chosen] = fleet.leader.status()["draining"]
    await releasing
    await fleet.leader.drains.release_left_behind()
    assert fleet.serving(chosen) == "false"
