"""agentscaler analyze on a real Prometheus: profiles, refusals and usage become a verdict."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agentscaler.cli import analyze
from agentscaler.clock import SystemClock
from agentscaler.observe import profiles
from agentscaler.observe.prometheus import Caller, Prometheus
from agentscaler.observe.sources import Settings, Sources
from tests.fakes.apiserver import FakeApiServer
from tests.fakes.leadership import DatedClock
from tests.fakes.lone_prometheus import NOON, Samples, running

pytestmark = pytest.mark.e2e

CLOCK = SystemClock()
POD = {"namespace": "agents", "agent": "research", "pod": "research-7d9f-abcde"}
CONTAINER = {"namespace": "agents", "pod": "research-7d9f5b6c8f-x2x4z", "container": "agent"}


def recorded() -> Samples:
    """Give an agent that is refused a quarter of its calls, with a slow tail and a hot CPU."""
    samples = Samples()
    samples.growing("agent_llm_responses_total", 3, **POD, provider="openai", outcome="ok")
    samples.growing(
        "agent_llm_responses_total", 1, **POD, provider="openai", outcome="rate_limited"
    )
    plan = {**POD, "operation": "plan"}
    samples.growing("agent_operation_duration_seconds_sum", 1.5, **plan)
    samples.growing("agent_operation_duration_seconds_count", 2, **plan)
    buckets = {"0.5": 1.6, "5.0": 1.6, "10.0": 2.0, "+Inf": 2.0}
    samples.histogram("agent_operation_duration_seconds", buckets, **plan)
    spent = [0.45 * 15 * step for step in range(80)]  # since before the window
    samples.add("container_cpu_usage_seconds_total", CONTAINER, spent)
    samples.steady("container_spec_cpu_quota", 50_000, **CONTAINER)
    samples.steady("container_spec_cpu_period", 100_000, **CONTAINER)
    samples.steady("container_memory_working_set_bytes", 600, **CONTAINER)
    samples.steady("container_spec_memory_limit_bytes", 1000, **CONTAINER)
    return samples


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running(recorded()) as served:
        yield served


async def test_profile_of_an_agent_is_read_whole(address: str) -> None:
    prometheus = Prometheus(address, CLOCK)
    try:
        caller = Caller(CLOCK.monotonic() + 20)
        found = await profiles.fetch(prometheus, caller, NOON, "agents")
        other = await profiles.fetch(prometheus, caller, NOON, "elsewhere")
    finally:
        prometheus.close()
    profile = found["agents", "research"]
    assert profile.means == pytest.approx({"plan": 0.75})
    assert profile.p90s == pytest.approx({"plan": 7.5})
    assert profile.refused == pytest.approx({"openai": 0.25})
    # 4 a second over the 585 s of samples, and half an interval that rate() adds at their end.
    assert profile.calls == pytest.approx({"openai": 4 * 592.5})
    assert profile.usage_means == pytest.approx({"cpu": 0.9, "memory": 0.6})
    assert profile.usage_peaks == pytest.approx({"cpu": 0.9, "memory": 0.6})
    assert not other


async def test_operator_reads_the_profiles_of_all_namespaces_at_once(address: str) -> None:
    clock = DatedClock()
    clock.date = NOON
    sources = Sources(Settings(address), clock)
    try:
        found = await profiles.fetch_from_own(sources, clock)
        assert sum(prometheus.asked for prometheus in sources.opened()) == 6
    finally:
        sources.close()
    assert found["agents", "research"].refused == pytest.approx({"openai": 0.25})
    assert found["agents", "research"].usage_means == pytest.approx({"cpu": 0.9, "memory": 0.6})


def body(name: str, **spec: Any) -> dict[str, Any]:
    """Give a policy as the API server has it; its Deployment has two ready replicas."""
    metadata = {
        "namespace": "agents",
        "name": name,
        "uid": f"uid-{name}",
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return {
        "apiVersion": "agentscaler.dev/v1alpha1",
        "kind": "AgentScalingPolicy",
        "metadata": metadata,
        "spec": {"scaleTargetRef": {"name": "research"}, "maxReplicas": 8, **spec},
        "status": {"currentReplicas": 2, "readyReplicas": 2},
    }


def live() -> Samples:
    """Give an agent whose calls are refused, sampled until a moment ago."""
    samples, now = Samples(), CLOCK.now()
    for metric, values in (
        ("agent_queue_depth", [12.0] * 40),
        ("agent_active_requests", [8.0] * 40),
        ("agent_capacity", [8.0] * 40),
    ):
        samples.add(metric, POD, values, end=now)
    for outcome, rate in (("ok", 3), ("rate_limited", 1)):
        labels = {**POD, "provider": "openai", "outcome": outcome}
        counted = [float(rate * 15 * step) for step in range(40)]
        samples.add("agent_llm_responses_total", labels, counted, end=now)
    return samples


async def test_command_tells_all_policies_of_the_namespace(tmp_path: Path) -> None:
    async with FakeApiServer() as server:
        server.objects.put("agentscalingpolicies", body("research"))
        server.objects.put("agentscalingpolicies", body("broken", maxReplicas=0))
        kubeconfig = str(server.kubeconfig(tmp_path))
        with running(live()) as address:
            options = ["-n", "agents", "--kubeconfig", kubeconfig, "--prometheus-url", address]

            async def ask(*more: str) -> Result:
                line = [*more, *options]
                return await asyncio.to_thread(CliRunner().invoke, analyze.command, line)

            told = await ask("-o", "json")
            one = await ask("research")
    assert told.exit_code == one.exit_code == 0, told.output + one.output
    broken, research = json.loads(told.output)
    assert "maxReplicas" in broken["problem"]
    assert (research["verdict"], research["replicasHelp"]) == ("ProviderLimit", "No")
    assert research["message"].startswith("openai refuses 25% of the calls")
    assert one.output.startswith("research in agents: ProviderLimit; would replicas help: No\n")
