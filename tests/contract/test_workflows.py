"""What runs for contributors: well-formed, pinned, and nothing but the Makefile's own verbs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
VERB = re.compile(r"(?:^|PATH\" )make ((?:[a-z0-9-]+ ?)+)", re.MULTILINE)
CONTINUOUS = ROOT / ".ci" / "run"
VERBS = set(re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


def test_there_is_a_workflow_that_tests_on_kind() -> None:
    assert any("make e2e CLUSTER=kind" in path.read_text() for path in WORKFLOWS)


@each_workflow
def test_actions_are_pinned_to_a_whole_version(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w/-]+@v\d+\.\d+\.\d+", each)] == []


@each_workflow
def test_commands_are_verbs_of_the_makefile(path: Path) -> None:
    said = "\n".join([*(step.get("run", "") for step in steps(path)), CONTINUOUS.read_text()])
    called = {verb for verbs in VERB.findall(said) for verb in verbs.split()}
    assert {"check", "test", "e2e"} <= called <= VERBS


@each_workflow
def test_it_may_only_read(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}
