"""What a real Prometheus recorded of an agent, read back whole, and lived through again."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from agentscaler.api.signals import SignalName
from agentscaler.cli import backtest
from agentscaler.clock import SystemClock
from agentscaler.errors import SourceUnavailableError
from agentscaler.observe import pasts
from agentscaler.observe.pasts import Found, Replicas
from agentscaler.observe.sources import Settings, Sources
from tests.fakes.lone_prometheus import NOON, SECOND, Samples, running
from tests.unit.observe.worlds import policy

pytestmark = pytest.mark.e2e

CLOCK = SystemClock()
HOURS = 3
COUNT = HOURS * 240 + 1
POLICY = """apiVersion: agentscaler.dev/v1alpha1
kind: AgentScalingPolicy
metadata: {name: research, namespace: agents}
spec:
  scaleTargetRef: {name: research}
  metrics: [{name: tickets, query: sum(tickets), target: {perReplica: '10'}}]
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Three hours of three pods with four slots; together they serve 0.6 requests a second."""
    samples = Samples()
    labels = {"namespace": "agents", "agent": "research"}
    for pod in ("1", "2", "3"):
        mine = {**labels, "pod": pod}
        samples.add("agent_active_requests", mine, [2.0] * COUNT)
        samples.add("agent_queue_depth", mine, [0.0] * COUNT)
        samples.add("agent_capacity", mine, [4.0] * COUNT)
        for counter in ("agent_requests_received_total", "agent_requests_total"):
            samples.add(counter, mine, [3.0 * step for step in range(COUNT)])
    kube = {"namespace": "agents", "deployment": "research"}
    samples.add("kube_deployment_status_replicas", kube, [5.0] * COUNT)
    samples.add("kube_deployment_status_replicas_ready", kube, [3.0] * COUNT)
    samples.add("tickets", {"team": "research"}, [12.0] * COUNT)
    with running(samples) as found:
        yield found


async def fetch(address: str) -> Found:
    metric = {"name": "tickets", "query": "sum(tickets)", "target": {"perReplica": "10"}}
    sources = Sources(Settings(address), CLOCK, workers=2)
    start = NOON - timedelta(hours=HOURS - 1)
    try:
        return await pasts.fetch(
            policy(metrics=[metric]), sources, CLOCK, start=start, end=NOON + 7 * SECOND
        )
    finally:
        sources.close()


async def test_everything_recorded_of_an_agent_is_found(address: str) -> None:
    found = await fetch(address)
    assert found.start == NOON - timedelta(hours=HOURS - 1)
    usual = {
        SignalName.ACTIVE_REQUESTS: 6.0,
        SignalName.QUEUE_DEPTH: 0.0,
        SignalName.CAPACITY: 12.0,
        SignalName.ARRIVAL_RATE: 0.6,
        SignalName.COMPLETION_RATE: 0.6,
    }
    for name, value in usual.items():
        np.testing.assert_allclose(found.signals[name], value)
    counts = {name: set(row) for name, row in found.replicas.items()}
    assert counts == {Replicas.ASKED: {5.0}, Replicas.READY: {3.0}, Replicas.EXPORTING: {3.0}}
    assert set(found.further["metrics.tickets"]) == {12.0}


async def test_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SourceUnavailableError):
        await fetch("http://127.0.0.1:1")


def test_policy_lives_through_what_was_recorded(address: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    past = ["--from", "2026-01-05T10:00:00Z", "--to", "2026-01-05T12:00:00Z"]
    arguments = [str(file), "--prometheus-url", address, *past, "--output", "json"]
    done = CliRunner().invoke(backtest.command, arguments, catch_exceptions=False)
    told = json.loads(done.stdout)
    assert told["results"][1]["name"] == "what was run"
    assert told["results"][1]["replicaHours"] == pytest.approx(5 * 110 / 60, rel=0.01)
    assert told["results"][0]["requests"] == pytest.approx(0.6 * 110 * 60, rel=0.01)
    assert "a replica serves 4 requests at once, as recorded" in told["assumptions"]
    assert any("requests take 10.0s" in remark for remark in told["assumptions"])
