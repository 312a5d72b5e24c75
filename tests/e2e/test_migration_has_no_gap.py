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
(LETTING_GO,) = re.findall(r"^ *```console manifest\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
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
            said = self._run(line.strip().removeprefix("$ "))
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


def manifest_without_a_count(walk: Walk) -> None:
    """Write the Deployment's manifest without the line, after another count was set."""
    walk.world.kubectl("scale", "deployment/research", "--replicas=5")
    body = deployment("research")
    del body["spec"]["replicas"]
    (walk.folder / "deployment.yaml").write_text(yaml.safe_dump(body))


def test_manifest_lets_go_of_the_count_as_the_page_says(
    walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBE_EDITOR", "sed -i '/replicas:/d'")
    manifest_without_a_count(walk)
    walk.type(LETTING_GO)
    assert walk.counts[-2:] == [5, 5]
    walk.type("$ kubectl -n agents apply -f deployment.yaml")
    assert walk.counts[-1] == 5


def test_line_that_is_only_deleted_from_the_manifest_leaves_one_replica(walk: Walk) -> None:
    manifest_without_a_count(walk)
    walk.type("$ kubectl -n agents apply -f deployment.yaml")
    assert walk.counts[-1] == 1


@pytest.mark.parametrize(("others", "left"), [(True, 5), (False, 1)], ids=["policy's", "applier's"])
def test_line_of_server_side_apply_may_go_once_the_field_is_another_ones(
    walk: Walk, *, others: bool, left: int
) -> None:
    manifest_without_a_count(walk)
    file = walk.folder / "deployment.yaml"
    bare = file.read_text()
    apply = "$ kubectl -n agents apply --server-side --force-conflicts -f deployment.yaml"
    body = yaml.safe_load(bare)
    body["metadata"]["name"] = "writer"
    (walk.folder / "bare.yaml").write_text(yaml.safe_dump(body))
    body["spec"]["replicas"] = 3
    file.write_text(yaml.safe_dump(body))
    walk.type(apply)
    if others:
        walk.world.kubectl("scale", "deployment/writer", "--replicas=5")
    walk.type(apply.replace("deployment.yaml", "bare.yaml"))
    assert walk.world.replicas("writer") == left


@pytest.mark.parametrize(("kept", "left"), [(True, 5), (False, 1)], ids=["reads", "gone"])
def test_line_of_a_chart_may_only_be_replaced_by_one_that_reads_the_count(
    walk: Walk, *, kept: bool, left: int
) -> None:
    (reading,) = re.findall(r"```yaml line of a template\n *(.*?)\n", PAGE)
    chart, body = walk.folder / "chart", deployment("chosen")
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: chosen, version: 0.1.0}")
    template = chart / "templates" / "deployment.yaml"
    for line in ("replicas: 3", reading.replace("research", "chosen") if kept else ""):
        text = yaml.safe_dump(body).replace("replicas: 1", line)
        template.write_text(text)
        walk.world.bed.helm("upgrade", "chosen", str(chart), "--install", "--namespace", NAMESPACE)
        walk.counts.append(walk.world.replicas("chosen"))
        walk.world.kubectl("scale", "deployment/chosen", "--replicas=5")
    assert walk.counts[-2:] == [3, left]


def ask(bed: Bed, query: str) -> list[str]:
    """Give the values of a query."""
    with requests.Session() as http:
        http.trust_env = False
        url = f"{bed.prometheus_url}/api/v1/query"
        found = http.get(url, params={"query": query}, timeout=10).json()["data"]["result"]
    return [each["value"][1] for each in found]
