"""Operators that act at once: each on its namespaces, replaced when it dies, divided anew.

On a cluster of its own, for the release is another than that of all tests.
"""

from contextlib import ExitStack

import pytest

from tests.bed import Bed
from tests.bed.fleet import Fleet
from tests.bed.processes import wait_until
from tests.e2e.conftest import CHART
from tests.e2e.operators import RELEASE, Operator
from tests.e2e.sharded import grow, homes
from tests.e2e.worlds import SYSTEM_NAMESPACE, World

pytestmark = pytest.mark.e2e

EAGER = {"scaleUp": {"maxStep": 20}, "scaleDown": {"maxStep": 20, "cooldown": "3s"}}


def release(bed: Bed, verb: str, shards: int) -> None:
    values = f"prometheus.url={bed.prometheus_url},drain.enabled=true,shards={shards}"
    bed.helm(
        verb, RELEASE, str(CHART), "--namespace", SYSTEM_NAMESPACE, "--create-namespace", "--wait",
        "--set", f"{values},replicas={shards + 1}", timeout=180,
    )  # fmt: skip


def led(operator: Operator, count: int = 2) -> list[int]:
    """Tell which shards an operator leads."""
    shards = range(count)
    return [each for each in shards if operator.metric("agentscaler_leader", shard=str(each))]


@pytest.mark.timeout(600)
def test_shards_act_at_once_and_are_taken_over_and_divided_anew(own_cluster: Bed) -> None:
    release(own_cluster, "install", shards=2)
    with Fleet.up(own_cluster) as fleet, ExitStack() as running:
        worlds = [World(own_cluster, fleet, name) for name in homes(2)]
        for world in worlds:
            world.agent()
            world.pin(queue=4, active=0)
            world.policy(demand=EAGER, maxReplicas=40)
        three = [
            running.enter_context(Operator(own_cluster, f"shard{number}", "--shards=2"))
            for number in range(3)
        ]
        wait_until(
            lambda: sorted(shard for each in three for shard in led(each)) == [0, 1],
            within=60,
            what="two leaders",
        )
        for world in worlds:
            grow(world)
        followed = {tuple(led(each)): each.metric("agentscaler_policies") for each in three}
        assert followed == {(): 0, (0,): 1, (1,): 1}

        first = next(each for each in three if led(each) == [0])
        (spare,) = (each for each in three if not led(each))
        first.kill()
        wait_until(lambda: led(spare) == [0], within=25, what="the takeover")
        grow(worlds[0])

        release(own_cluster, "upgrade", shards=1)
        alone = running.enter_context(Operator(own_cluster, "alone"))
        second = next(each for each in three if each not in {first, spare})
        spare.terminate()
        grow(worlds[1])
        assert led(alone, 1) == []
        second.terminate()
        wait_until(lambda: led(alone, 1) == [0], within=30, what="the whole in one hand")
        for world in worlds:
            grow(world)
            assert not world.events("ReplicasContested")
