"""The whole control plane goes and comes back: nothing is scaled meanwhile, all is well after."""

import signal
import time
from itertools import pairwise

import pytest

from tests.bed import Bed
from tests.bed.processes import wait_until
from tests.e2e.operators import Operator
from tests.e2e.worlds import World

pytestmark = pytest.mark.e2e

EAGER = {"scaleUp": {"maxStep": 20}, "scaleDown": {"maxStep": 20, "cooldown": "3s"}}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
# Longer than the Lease lasts: the leader has to give up.
AWAY_SECONDS = 20


@pytest.mark.timeout(240)
def test_cluster_that_goes_and_comes_back_is_served_again(
    world: World, process: Operator, control_plane: Bed
) -> None:
    world.agent(replicas=2)
    world.pin(queue=12, active=0)
    world.policy(demand=EAGER)
    world.until_reason("Demand")
    world.until_carried_out()
    size = world.replicas()
    try:
        for program in ("kube-apiserver", "etcd"):
            control_plane.kill(program)
        world.pin(queue=0, active=0)
        time.sleep(AWAY_SECONDS)
        process.until_ended(within=60)
        assert process.was_starved()
    finally:
        for program in CONTROL_PLANE:
            control_plane.start(program)
        process.start()  # as its kubelet would
    assert world.replicas() == size
    world.until_replicas(1, within=60)
    world.until_carried_out()
    past = world.history()
    assert {each["outcome"] for each in past} == {"Applied"}
    assert all(newer["from"] == older["to"] for newer, older in pairwise(past))


@pytest.mark.timeout(240)
def test_leader_that_was_frozen_writes_nothing_when_it_wakes(
    world: World, process: Operator
) -> None:
    """A paused machine: it still believes that it leads, and its Lease has long been taken."""
    world.agent(replicas=2)
    world.pin(queue=12, active=0)
    world.policy(demand=EAGER)
    world.until_reason("Demand")
    with Operator(world.bed, "heir") as heir:
        process.signal(signal.SIGSTOP)
        try:
            wait_until(
                lambda: heir.metric("agentscaler_leader") == 1, within=40, what="the takeover"
            )
            world.pin(queue=40, active=0)
            wait_until(lambda: world.replicas() > 10, within=60, what="the heir's scaling")
        finally:
            process.signal(signal.SIGCONT)
        process.until_ended(within=60)
        world.until_carried_out()
        past = world.history()
        assert {each["outcome"] for each in past} == {"Applied"}
        assert past[0]["to"] == world.replicas()
        assert all(newer["from"] == older["to"] for newer, older in pairwise(past))
        process.start()
