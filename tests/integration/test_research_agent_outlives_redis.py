"""The research agent while its session store is killed: clear errors, no crash, nothing lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.bed.ports import LOOPBACK
from tests.bed.processes import Program, wait_until
from tests.demo.full.processes import Processes
from tests.demo.full.users import Users

pytestmark = pytest.mark.e2e

USERS = 6


class World:
    """Two replicas of the agent, one Redis, one model."""

    def __init__(self, processes: Processes) -> None:
        self.redis, redis_url = processes.redis()
        model, address = processes.model()
        environment = {"REDIS_URL": redis_url, "LLM_URL": f"http://{address}/v1"}
        first, self.first = processes.agent("research-1", LOOPBACK, environment)
        second, self.second = processes.agent("research-2", LOOPBACK, environment)
        self.agents: tuple[Program, ...] = (first, second)
        for program in (self.redis, model, *self.agents):
            program.start()
        for program in (self.redis, model, *self.agents):
            program.wait_ready()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with Processes(tmp_path) as processes:
        yield World(processes)


def ask(address: str, session: str, topic: str) -> requests.Response:
    return requests.post(
        f"http://{address}/ask",
        json={"text": "What waits?", "topic": topic},
        headers={"x-session-id": session},
        timeout=30,
    )


def test_killed_redis_is_a_clear_503_and_no_turn_is_lost(world: World) -> None:
    pids = [agent.pid for agent in world.agents]
    assert '"turn": 1' in ask(world.first, "ada", "queues").text.splitlines()[-2]
    with Users(f"http://{world.first}/ask", lambda: USERS) as users:
        tally = users.tally
        wait_until(lambda: len(tally.waits) >= USERS, within=60, what="first answers")
        world.redis.kill()
        wait_until(lambda: tally.failures.total() >= USERS, within=60, what="failures")
        refused = ask(world.second, "ada", "queues")
        assert refused.status_code == 503
        assert "session store" in refused.json()["error"]
        assert int(refused.headers["retry-after"]) >= 1
        assert requests.get(f"http://{world.second}/healthz", timeout=5).ok
        world.redis.start()
        world.redis.wait_ready()
        served = len(tally.waits)
        wait_until(lambda: len(tally.waits) >= served + 2 * USERS, within=60, what="recovery")
    assert [agent.pid for agent in world.agents] == pids
    assert (tally.lost, tally.mixed) == (0, 0)
    assert tally.looked_at
    assert all("session store" in reason or "503" in reason for reason in tally.failures)
    resumed = ask(world.second, "ada", "another topic").text
    assert '{"turn": 2, "topic": "queues"}' in resumed
