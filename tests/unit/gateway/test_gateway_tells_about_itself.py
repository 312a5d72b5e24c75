"""The series that a gateway exports, and which of the agents' it leaves to them."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from agentscaler.gateway import config
from agentscaler.gateway.backends import Endpoint
from agentscaler.gateway.metrics import GatewayCollector
from agentscaler.gateway.routes import Route
from tests.fakes.clocks import HandClock

LABELS = {"namespace": "agents", "agent": "research", "pod": "gateway-0"}
BACKEND = {**LABELS, "backend": "10.0.0.7:80"}


def told(exports: str) -> tuple[Route, CollectorRegistry]:
    content: dict[str, Any] = {"agent": "research", "backends": {"static": ["10.0.0.7:80"]}}
    route = Route(config.parse({"routes": [content]}).routes[0], HandClock())
    registry = CollectorRegistry()
    registry.register(
        GatewayCollector([route], namespace="agents", pod="gateway-0", exports=exports)
    )
    return route, registry


@pytest.mark.parametrize(
    "route",
    [
        {"backends": {"service": {"name": "research", "namespace": "agents"}}},
        {"backends": {"service": {"name": "research"}}, "namespace": "agents"},
        {"backends": {"dns": {"name": "research", "port": 80}}, "namespace": "agents"},
        {
            "backends": {"dns": {"name": "research", "port": 80}},
            "wake": {"policy": "research", "namespace": "agents"},
        },
    ],
    ids=["of the Service", "of the route", "of names", "of the policy that is woken"],
)
def test_series_are_told_in_the_agents_namespace(route: dict[str, Any]) -> None:
    """There the policy looks for them, wherever the gateway stands."""
    settings = config.parse({"routes": [{"agent": "research", **route}]}).routes[0]
    registry = CollectorRegistry()
    there = Route(settings, HandClock())
    registry.register(GatewayCollector([there], namespace="edge", pod="gateway-0", exports="all"))
    told = {
        sample.labels["namespace"] for family in registry.collect() for sample in family.samples
    }
    assert told == {"agents"}


def test_backend_is_described_in_full() -> None:
    route, registry = told("queue")
    route.pool.update([Endpoint("10.0.0.7:80")])
    [backend] = route.pool.backends
    backend.active, backend.total = 2, 9
    for failed in (True, False, False, False):
        route.pool.record(backend, 2.0, failed=failed)
    values = {
        name: registry.get_sample_value(f"agentscaler_gateway_backend_{name}", BACKEND)
        for name in (
            "active_requests", "requests_total", "error_ratio", "mean_response_seconds",
            "healthy", "score",
        )
    }  # fmt: skip
    assert values == {
        "active_requests": 2, "requests_total": 9, "error_ratio": 0.25,
        "mean_response_seconds": 2.0, "healthy": 1, "score": pytest.approx(100 - 20 - 20 - 250),
    }  # fmt: skip
    backend.draining = True
    assert registry.get_sample_value("agentscaler_gateway_backend_healthy", BACKEND) == 0


def test_agents_own_series_are_left_to_them_by_default() -> None:
    """Exported by both, the operator would add them up and see every request twice."""
    route, registry = told("queue")
    route.tally.received += 1
    names = {family.name for family in registry.collect()}
    assert "agent_queue_depth" in names
    assert {name for name in names if name.startswith("agent_")} == {"agent_queue_depth"}


def test_gateway_stands_in_for_agents_that_tell_nothing() -> None:
    route, registry = told("all")
    route.pool.update([Endpoint("10.0.0.7:80")])
    [backend] = route.pool.backends
    backend.active, backend.capacity = 3, 4
    route.tally.received += 5
    route.tally.end("ok")
    route.tally.begin(0.2)
    route.tally.begin(7.0)
    expected = {
        "agent_active_requests": 3, "agent_capacity": 4, "agent_requests_received_total": 5,
        "agent_request_wait_seconds_count": 2, "agent_request_wait_seconds_sum": 7.2,
    }  # fmt: skip
    for name, value in expected.items():
        assert registry.get_sample_value(name, LABELS) == value
    assert registry.get_sample_value("agent_requests_total", {**LABELS, "outcome": "ok"}) == 1
    bucket = {**LABELS, "le": "5.0"}
    assert registry.get_sample_value("agent_request_wait_seconds_bucket", bucket) == 1
