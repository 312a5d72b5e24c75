"""Namespaces that fall to different shards, and a sign that someone looks after each."""

from agentscaler.control import sharding
from tests.bed.processes import wait_until
from tests.e2e.worlds import World


def homes(count: int) -> list[str]:
    """Name a namespace for each shard."""
    names = [f"team-{number}" for number in range(20)]
    return [next(filter(shard.owns, names)) for shard in sharding.shards(count)]


def grow(world: World) -> None:
    """Have requests wait for more replicas, and wait until those are on record."""
    size = world.replicas()
    world.pin(queue=4 * (size + 5), active=0)
    wait_until(lambda: world.replicas() > size, within=60, what=f"growth in {world.namespace}")
    wait_until(world.is_one_story, within=60, what="its record")
