"""agentscaler tune: what it prints, and that it says so when nothing holds."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from agentscaler.cli import tune
from agentscaler.errors import UsageError

POLICY = """apiVersion: agentscaler.dev/v1alpha1
kind: AgentScalingPolicy
metadata: {name: research, namespace: agents}
spec:
  scaleTargetRef: {name: research}
  maxReplicas: MOST
  pollingInterval: 240s
"""


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    file = tmp_path / "load.csv"
    rows = [f"{minute * 60},{4 + minute % 3},96" for minute in range(121)]
    file.write_text("\n".join(["t_s,arrivals,mean_service_s", *rows]) + "\n")
    return file


def run(folder: Path, trace: Path, *arguments: str, most: int = 20, more: str = "") -> Result:
    file = folder / "policy.yaml"
    file.write_text(POLICY.replace("MOST", str(most)) + more)
    usual = ["--trace", str(trace), "--slots", "2", "--trials", "4", "--jobs", "1"]
    return CliRunner().invoke(tune.command, [str(file), *usual, *arguments])


def test_patch_is_printed_with_its_curve(tmp_path: Path, trace: Path) -> None:
    dear = "  demand: {targetUtilization: 40%}\n"
    done = run(tmp_path, trace, "--objective", "wait<30s@90%", "--trials", "9", more=dear)
    assert done.exit_code == 0, done.output
    assert "agents/research: 90% of requests wait at most 30s" in done.stdout
    assert "9 settings tried" in done.stdout
    assert "as it is" in done.stdout
    patch = done.stdout.partition("in time:\n\n")[2].partition("\n\n")[0]
    assert set(yaml.safe_load(patch)["spec"]) == {"demand"}


def test_json_has_the_patch_and_both_scores(tmp_path: Path, trace: Path) -> None:
    told = json.loads(run(tmp_path, trace, "--output", "json").stdout)
    assert told["tried"] == 4
    assert told["objective"] == "99% of requests wait at most 5s"
    assert set(told["proposed"]) == {"settings", "tuned", "judged"}
    assert told["proposed"]["settings"] == told["patch"]["spec"]
    assert told["holds"]


def test_policy_that_cannot_hold_it_is_told_so(tmp_path: Path, trace: Path) -> None:
    done = run(tmp_path, trace, most=1)
    assert "Nothing that was tried holds it" in done.stdout


@pytest.mark.parametrize("objective", ["fast", "wait<soon@99%", "wait<5s@200%"])
def test_objective_that_makes_no_sense_is_refused(
    tmp_path: Path, trace: Path, objective: str
) -> None:
    error = run(tmp_path, trace, "--objective", objective).exception
    assert isinstance(error, UsageError)
    assert "write it like 'wait<5s@99%'" in str(error)
