"""Whole operators in this process, against the fake API server and the fake Prometheus."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agentscaler.main import Operator, Settings
from agentscaler.observe.sources import Settings as SourceSettings
from tests.fakes.apiserver import FakeApiServer
from tests.fakes.cluster import FakeCluster
from tests.fakes.connected import until
from tests.fakes.faulty_prometheus import serving
from tests.fakes.gauges import Gauges


class Running:
    """An operator that runs in a task of its own until the end of the test."""

    def __init__(self, settings: Settings) -> None:
        self.operator = Operator(settings)
        self.task = asyncio.create_task(self.operator.run())

    @property
    def identity(self) -> str:
        return self.operator._identity

    @property
    def is_leading(self) -> bool:
        assert not self.task.done(), self.task.exception()
        return self.operator._is_leading

    async def stop(self) -> None:
        """End it as SIGTERM does."""
        self.operator.stop()
        async with asyncio.timeout(40):
            await self.task


class Scene(FakeCluster):
    """A cluster in which operators can be started."""

    def __init__(self, server: FakeApiServer, gauges: Gauges, settings: Settings) -> None:
        super().__init__(server, gauges)
        self.settings = settings
        self.running: list[Running] = []

    def start(self, **settings: Any) -> Running:
        """Start one more operator."""
        given = {
            name: getattr(self.settings, name) for name in ("source", "kubeconfig", "port")
        } | settings
        self.running.append(Running(Settings(**given)))
        return self.running[-1]

    async def lead(self, **settings: Any) -> Running:
        """Start an operator, and wait until it leads."""
        started = self.start(**settings)
        await until(lambda: started.is_leading)
        return started


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Scene]:
    """Start both servers; operators that still run at the end are stopped."""
    with serving(Gauges()) as metrics:
        async with FakeApiServer() as server:
            gauges = metrics.respond
            assert isinstance(gauges, Gauges)
            settings = Settings(
                source=SourceSettings(metrics.address), kubeconfig=server.kubeconfig(folder), port=0
            )
            scene = Scene(server, gauges, settings)
            try:
                yield scene
            finally:
                left = [each for each in scene.running if not each.task.done()]
                for each in left:
                    each.operator.stop()
                await asyncio.gather(*(each.task for each in left))
