"""A request for a target at zero wakes its policy, once, and as often as it takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from agentscaler import conventions
from agentscaler.clock import SystemClock
from agentscaler.gateway import config, waking
from agentscaler.gateway.backends import Endpoint
from agentscaler.gateway.server import Gateway
from tests.integration.gateway_world import Agent, World, agents_running, eventually

PATH = "/apis/agentscaler.dev/v1alpha1/namespaces/agents/agentscalingpolicies/research-policy"


class Policies:
    """As much of an API server as takes the patches of one policy."""

    def __init__(self) -> None:
        self.url = ""
        self.refuses = False
        self.woken: list[datetime] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert (request.method, request.path) == ("PATCH", PATH)
        assert request.query["fieldManager"] == "agentscaler-gateway"
        assert request.content_type == "application/merge-patch+json"
        patch: dict[str, Any] = await request.json()
        self.woken.append(
            datetime.fromisoformat(patch["metadata"]["annotations"][conventions.WAKE_ANNOTATION])
        )
        return web.json_response({}, status=403 if self.refuses else 200)


@asynccontextmanager
async def asleep(policies: Policies, agent: Agent) -> AsyncIterator[World]:
    """Run a gateway whose agent is at zero replicas."""
    runner = web.ServerRunner(web.Server(policies.handle), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = agent.address.split(":")
    route = {
        "agent": "research",
        "backends": {"dns": {"name": host, "port": int(port), "every": "1h"}},
        "wake": {"policy": "research-policy"},
    }
    ports = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "drainDelay": "0s"}
    settings = config.parse({**ports, "routes": [route]})
    environ = {
        "POD_NAMESPACE": "agents",
        "KUBERNETES_API_URL": f"http://127.0.0.1:{runner.addresses[0][1]}",
    }
    try:
        async with (
            Gateway(settings, SystemClock(), environ) as gateway,
            aiohttp.ClientSession() as client,
        ):
            await eventually(lambda: gateway.is_ready)
            world = World(gateway, client)
            world.route.pool.update([])
            yield world
    finally:
        await runner.cleanup()


async def test_many_requests_at_zero_wake_once_and_are_served() -> None:
    policies = Policies()
    async with agents_running(1) as [agent], asleep(policies, agent) as world:
        asking = [asyncio.create_task(world.get("/")) for _ in range(20)]
        await eventually(lambda: len(policies.woken) == 1)
        await eventually(lambda: world.route.line.depth == 20)
        world.route.pool.update([Endpoint(agent.address)])
        assert await asyncio.gather(*asking) == [(200, "agent-0 answers")] * 20
        assert len(policies.woken) == 1


async def test_wake_that_fails_is_tried_again_while_somebody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waking, "RETRY_SECONDS", 0.01)
    policies = Policies()
    policies.refuses = True
    async with agents_running(1) as [agent], asleep(policies, agent) as world:
        asking = asyncio.create_task(world.get("/"))
        await eventually(lambda: len(policies.woken) >= 3)
        asking.cancel()
        await eventually(lambda: world.route.line.depth == 0)


async def test_full_agent_is_no_reason_to_wake() -> None:
    policies = Policies()
    async with agents_running(1) as [agent], asleep(policies, agent) as world:
        world.route.pool.update([Endpoint(agent.address)])
        [backend] = world.route.pool.backends
        world.route.pool.set_capacity(backend, 1)
        asking = [asyncio.create_task(world.get("/held")) for _ in range(2)]
        await eventually(lambda: world.route.line.depth == 1)
        agent.go_on.set()
        await asyncio.gather(*asking)
        assert policies.woken == []
