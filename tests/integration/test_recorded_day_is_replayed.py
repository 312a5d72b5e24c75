"""A day that a real Prometheus recorded, replayed by its owner, and held against the truth."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from agentscaler.cli import backtest, tune
from tests.fakes.lone_prometheus import running
from tests.fakes.recorded_day import SLOTS, START_UP, WORK, Day, lived

pytestmark = pytest.mark.e2e

PAST = ("--from", "2026-01-04T12:00:00Z", "--to", "2026-01-05T12:00:00Z")


@pytest.fixture(scope="module")
def day() -> Day:
    return lived()


@pytest.fixture(scope="module")
def address(day: Day) -> Iterator[str]:
    with running(day.samples) as found:
        yield found


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    body = {
        "apiVersion": "agentscaler.dev/v1alpha1",
        "kind": "AgentScalingPolicy",
        "metadata": {"name": "research", "namespace": "agents"},
        "spec": {"scaleTargetRef": {"name": "research"}, "maxReplicas": 20},
    }
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(body))
    return file


def run(command: Any, *arguments: object) -> dict[str, Any]:
    words = [*map(str, arguments), *PAST, "--output", "json"]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_what_was_run_is_replayed_as_it_was(day: Day, address: str, policy: Path) -> None:
    told = run(backtest.command, policy, "--prometheus-url", address)
    was = next(row for row in told["results"] if row["name"] == "what was run")
    assert was["requests"] == pytest.approx(day.outcome.requests, rel=0.01)
    assert was["replicaHours"] == pytest.approx(day.outcome.replica_hours, rel=0.03)
    assert was["attainment"] == pytest.approx(day.outcome.attainment, abs=0.01)
    assert f"a replica serves {SLOTS} requests at once, as recorded" in told["assumptions"]
    service, start = (
        float(
            next(each for each in told["assumptions"] if before in each)
            .split(before)[1]
            .split("s")[0]
        )
        for before in ("requests take ", "a replica is ready after ")
    )
    assert service == pytest.approx(WORK.mean, rel=0.05)
    assert start == pytest.approx(START_UP, rel=0.3)


def test_settings_are_proposed_that_hold_and_cost_less(address: str, policy: Path) -> None:
    few = ("--trials", 8, "--jobs", 1)
    told = run(tune.command, policy, "--prometheus-url", address, *few)
    assert told["holds"]
    present, proposed = told["present"]["judged"], told["proposed"]["judged"]
    assert proposed["replicaHours"] <= present["replicaHours"]
    assert proposed["attainment"] >= 0.99
