"""The walk of docs/migrating.md, line by line: an HPA's target becomes a policy's without a gap."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
import yaml

from tests.bed import Bed
from tests.bed.fleet import Fleet
from tests.bed.processes import wait_until
from tests.e2e.operators import Operator
from tests.e2e.worlds import World, deployment

pytestmark = pytest.mark.e2e

PAGE = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text()
FILES = re.findall(r"^```yaml (\S+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
WALKS = re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
NAMESPACE = "agents"
START = 2


@dataclass
class Walk:
    """A reader who types what the page says, and notes the count after each line."""

    world: World
    folder: Path
    counts: list[int] = field(default_factory=list)

    def type(self, block: str) -> str:
        """Run the lines of a block; give what the last one printed."""
        said = ""
        for line in block.splitlines():
            said = self._run(line.removeprefix("$ "))
            self.counts.append(self.world.replicas("research"))
        return said

    def _run(self, line: str) -> str:
        bed = self.world.bed
        folders = [Path(sys.executable).parent, bed.kubectl.program.parent]
        path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=self.folder,
            env={**os.environ, **bed.environment(), "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def walk(
    installed: Bed, fleet: Fleet, attend: Callable[[], None], tmp_path: Path
) -> Iterator[Walk]:
    """Give the page's namespace, its files, and the HPA's target under load."""
    world = World(installed, fleet, NAMESPACE, attend=attend)
    for name, text in FILES:
        (tmp_path / name).write_text(text)
    world.apply(deployment("research", START))
    world.kubectl("rollout", "status", "deployment/research", "--timeout=60s")
    fleet.gauge("research_tasks", 95, namespace=NAMESPACE, queue="research")
    walking = Walk(world, tmp_path)
    walking.type("$ kubectl apply -f hpa.yaml")
    yield walking
    installed.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


def test_policy_takes_over_without_a_gap_and_hands_back(walk: Walk) -> None:
    beside, over, back = WALKS[:3]
    assert walk.type(beside) == "4"  # of 5 needed, as one decision doubles at most
    assert walk.world.condition("Conflict", "research").get("status") != "True"
    assert walk.counts == [START] * len(walk.counts)  # it wrote nothing beside the HPA
    walk.type(over)
    walk.world.until_replicas(5, "research", within=60)
    assert min(walk.counts) == START
    walk.type(back)
    walk.world.until_condition("ScalingActive", "False", "research", within=60)
    assert walk.world.replicas("research") == 5


def test_exported_count_is_what_others_would_act_on(walk: Walk, process: Operator) -> None:
    walk.type(WALKS[0])
    walk.world.bed.scrape("operator", process.address)
    try:
        trigger = yaml.safe_load(dict(FILES)["scaledobject.yaml"])["spec"]["triggers"][0]
        query = trigger["metadata"]["query"]
        wait_until(lambda: ask(walk.world.bed, query) == ["4"], within=60, what="the count")
    finally:
        walk.world.bed.unscrape("operator")
    walk.type(WALKS[3])


def ask(bed: Bed, query: str) -> list[str]:
    """Give the values of a query."""
    with requests.Session() as http:
        http.trust_env = False
        url = f"{bed.prometheus_url}/api/v1/query"
        found = http.get(url, params={"query": query}, timeout=10).json()["data"]["result"]
    return [each["value"][1] for each in found]
