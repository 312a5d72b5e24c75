"""agentscaler backtest: what it reads, what it prints, when it fails."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentscaler.cli import backtest, history
from agentscaler.errors import UsageError

POLICY = """apiVersion: agentscaler.dev/v1alpha1
kind: AgentScalingPolicy
metadata: {name: research, namespace: agents}
spec:
  scaleTargetRef: {name: research}
  maxReplicas: 20
"""
OTHER = POLICY.replace("name: research, namespace: agents", "name: other")


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return file


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    file = tmp_path / "load.csv"
    rows = [f"{minute * 60},{8 + minute % 4},24" for minute in range(14)]
    file.write_text("\n".join(["t_s,arrivals,mean_service_s", *rows]) + "\n")
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(backtest.command, [str(each) for each in arguments])


def test_table_compares_on_a_trace(policy: Path, trace: Path) -> None:
    done = run(policy, "--trace", trace, "--slots", 2, "--replica-hour-cost", "0.5")
    assert done.exit_code == 0, done.output
    assert "agents/research on Deployment/research" in done.stdout
    for line in ("this policy", "replicas, fixed", "thresholds, defaults", "HPA, 70%", "KEDA, 1.4"):
        assert line in done.stdout
    assert "cost" in done.stdout
    assert "none fails" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_json_tells_the_same_for_machines(policy: Path, trace: Path) -> None:
    done = run(policy, "--trace", trace, "--slots", 2, "--output", "json")
    told = json.loads(done.stdout)
    assert told["policy"] == "agents/research"
    assert told["waitTargetSeconds"] == 5
    assert told["results"][0]["name"] == "this policy"
    assert 0 <= told["results"][0]["attainment"] <= 1
    assert told["assumptions"]


def test_chart_is_written(policy: Path, trace: Path, tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    assert run(policy, "--trace", trace, "--slots", 2, "--chart", chart).exit_code == 0
    assert chart.read_text().startswith("<svg")


def test_chart_that_cannot_be_written_is_told_before_the_replay(
    policy: Path, trace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "read", lambda _given: pytest.fail("it was begun"))
    absent = tmp_path / "missing" / "dir"
    asked = policy, "--trace", trace, "--slots", 2, "--chart"
    assert refused(*asked, absent / "x.svg") == (
        f"--chart {absent / 'x.svg'}: there is no folder {absent}: create it"
    )
    assert f"there is no folder {policy}" in refused(*asked, policy / "x.svg")


def test_chart_that_is_not_written_after_all_is_told(
    policy: Path, trace: Path, tmp_path: Path
) -> None:
    name = tmp_path / ("x" * 300)
    assert "File name too long" in refused(policy, "--trace", trace, "--slots", 2, "--chart", name)


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("attainment<10%", 0),
        ("replicaHours>0.1", 1),
        ("waitP99 >= 0s", 1),
        ("scalings<0", 0),
    ],
)
def test_condition_fails_the_pipeline(policy: Path, trace: Path, condition: str, code: int) -> None:
    done = run(policy, "--trace", trace, "--slots", 2, "--fail-if", condition)
    assert done.exit_code == code, done.output
    assert (f"--fail-if {condition}: it is" in done.stderr) == bool(code)


def refused(*arguments: object) -> str:
    error = run(*arguments).exception
    assert isinstance(error, UsageError)
    return str(error)


def test_what_cannot_be_replayed_is_refused(policy: Path, trace: Path, tmp_path: Path) -> None:
    two = tmp_path / "two.yaml"
    two.write_text(f"{POLICY}---\n{OTHER}")
    assert "say where the past is: --prometheus-url" in refused(policy)
    assert "give --slots" in refused(policy, "--trace", trace)
    assert "there is: research, other" in refused(two, "--trace", trace)
    assert "'attainment<99%'" in refused(policy, "--trace", trace, "--fail-if", "speed>3")
    by_cost = refused(policy, "--trace", trace, "--slots", 2, "--fail-if", "cost>3")
    assert "needs --replica-hour-cost" in by_cost
    early = refused(
        policy, "--prometheus-url", "http://x", "--from", "2026-01-02", "--to", "2026-01-01"
    )
    assert early == "--from is not before --to"


@pytest.mark.parametrize(
    ("option", "value"), [("--since", "soon"), ("--from", "noon")], ids=["duration", "time"]
)
def test_option_that_makes_no_sense_says_how_to_write_it(
    policy: Path, option: str, value: str
) -> None:
    done = run(policy, option, value)
    assert done.exit_code == 2
    assert "write it like" in done.output


def test_one_of_several_policies_is_chosen(trace: Path, tmp_path: Path) -> None:
    two = tmp_path / "two.yaml"
    two.write_text(f"{POLICY}---\n{OTHER}")
    arguments: list[Any] = [two, "--policy", "other", "-n", "lab", "--trace", trace, "--slots", 2]
    assert "lab/other on Deployment" in run(*arguments).stdout
