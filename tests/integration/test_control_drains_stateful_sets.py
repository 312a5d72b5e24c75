"""Pods of a StatefulSet go by their numbers, whatever they are told."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from agentscaler import conventions
from tests.fakes.cluster import EAGER, SLOTS
from tests.fakes.leadership import leading
from tests.fakes.podded import Fleet

NAMES = [f"agent-{number}" for number in range(4)]


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with leading(tmp_path) as leader:
        yield Fleet(leader)


def start(fleet: Fleet, names: Sequence[str]) -> None:
    """Have these pods of a StatefulSet that is asked for four."""
    for name in names:
        fleet.put(name, {"app": "agent", conventions.SERVING_LABEL: "true"})
    metadata = {"namespace": "agents", "name": "agent", "uid": "uid-of-set"}
    spec = {"replicas": 4, "selector": {"matchLabels": {"app": "agent"}}, "updateStrategy": {}}
    counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), len(names))
    body = {"metadata": metadata, "spec": spec, "status": counts}
    fleet.leader.server.objects.put("statefulsets", body)
    fleet.leader.gauges.show("agent", queue=0, active=0, capacity=len(names) * SLOTS)
    ref = {"kind": "StatefulSet", "name": "agent"}
    fleet.leader.policy(drain={}, demand=EAGER, scaleTargetRef=ref, maxReplicas=3)


async def look(fleet: Fleet, in_flight: dict[str, float]) -> None:
    """Look until pods that are idle have been taken out of service and count as idle."""
    for later in (1, 1, 5):
        fleet.serve(in_flight, later=later)
        await fleet.leader.run_pass(after=later)


def asked(fleet: Fleet) -> int:
    found = fleet.leader.server.objects.get("statefulsets", "agents", "agent")
    count: int = found["spec"]["replicas"]
    return count


async def test_pods_within_the_count_serve_again_at_once(fleet: Fleet) -> None:
    """Costs are of no use to a StatefulSet, so nothing is to be waited for."""
    start(fleet, NAMES)
    await look(fleet, dict.fromkeys(NAMES, 0.0))
    assert asked(fleet) == 1
    assert [fleet.serving(name) for name in NAMES] == ["true", "false", "false", "false"]
    fleet.leader.gauges.show("agent", active=2 * SLOTS, queue=SLOTS)
    for _ in range(3):
        await fleet.leader.run_pass()
    assert asked(fleet) == 3
    assert [fleet.serving(name) for name in NAMES] == ["true", "true", "true", "false"]


async def test_pods_stay_chosen_where_the_same_ones_are_another_targets(fleet: Fleet) -> None:
    """The one target is left, and what it left behind is released; but the other has chosen it."""
    busy = dict.fromkeys(NAMES, 1.0)
    fleet.start(busy, detachable=True)
    for _ in range(2):
        await fleet.leader.run_pass()
    fleet.leader.server.objects.remove("deployments", "agents", "agent")
    start(fleet, NAMES)
    for _ in range(2):
        await fleet.leader.run_pass()
        assert (asked(fleet), fleet.serving(NAMES[3])) == (4, "false")


async def test_busy_pod_stays_while_one_below_it_is_missing(fleet: Fleet) -> None:
    there = [NAMES[0], NAMES[2], NAMES[3]]
    start(fleet, there)
    await look(fleet, {NAMES[0]: 0.0, NAMES[2]: 1.0, NAMES[3]: 0.0})
    assert asked(fleet) == 3
