"""A candidate on a real cluster: decided beside the strategy in force, told, and never acted on."""

import pytest

from tests.bed.processes import wait_until
from tests.e2e.worlds import World

pytestmark = pytest.mark.e2e


def test_candidate_is_told_and_nothing_is_done_about_it(world: World) -> None:
    world.agent(replicas=2)
    world.pin(queue=0, active=0)
    world.policy(
        demand={"scaleDown": {"cooldown": "1h"}},
        candidate={"demand": {"scaleDown": {"cooldown": "0s"}, "spare": 3}},
    )

    def candidate() -> int | None:
        count: int | None = world.status().get("candidate", {}).get("desiredReplicas")
        return count

    wait_until(lambda: candidate() == 3, within=60, what="a candidate with spare replicas")
    assert world.replicas() == 2
    assert world.status()["desiredReplicas"] == 2
    story = "\n".join(world.status()["story"])
    assert "Candidate, since " in story
    assert "replica-hours, not " in story
    assert world.history() == []
