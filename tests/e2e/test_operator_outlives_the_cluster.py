"""The whole control plane goes and comes back: nothing is scaled meanwhile, all is well after."""

import time
from itertools import pairwise

import pytest

from tests.bed.processes import wait_until
from tests.e2e.operators import Operator
from tests.e2e.worlds import World

pytestmark = pytest.mark.e2e

EAGER = {"scaleUp": {"maxStep": 20}, "scaleDown": {"maxStep": 20, "cooldown": "3s"}}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
# Longer than the Lease lasts: the leader has to give up.
AWAY_SECONDS = 20


@pytest.mark.timeout(240)
def test_cluster_that_goes_and_comes_back_is_served_again(world: World, operator: Operator) -> None:
    world.agent(replicas=2)
    world.pin(queue=12, active=0)
    world.policy(demand=EAGER)
    world.until_reason("Demand")
    size = world.replicas()
    try:
        for program in ("kube-apiserver", "etcd"):
            world.bed.kill(program)
        world.pin(queue=0, active=0)
        time.sleep(AWAY_SECONDS)
        wait_until(lambda: not operator.is_running, within=15, what="the end of the leader")
    finally:
        for program in CONTROL_PLANE:
            world.bed.start(program)
        operator.start()  # as its kubelet would
    assert world.replicas() == size
    world.until_replicas(1, within=60)
    past = world.history()
    assert {each["outcome"] for each in past} == {"Applied"}
    assert all(newer["from"] == older["to"] for newer, older in pairwise(past))
