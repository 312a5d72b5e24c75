"""The parts of one leadership, taken through passes one by one, on a date of the test's own."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agentscaler import conventions
from agentscaler.act.client import Api, Limits
from agentscaler.act.rivals import Rivals
from agentscaler.act.targets import Targets
from agentscaler.api.policy import ScaleTargetRef
from agentscaler.clock import SystemClock
from agentscaler.control.cycle import Cycle, Parts
from agentscaler.control.draining import Drains
from agentscaler.control.forecasts import Forecasts
from agentscaler.control.keyring import Keyring
from agentscaler.control.proceeding import Works
from agentscaler.control.recording import Record
from agentscaler.control.registry import Entry, Registry
from agentscaler.control.standing import Judge
from agentscaler.observe.observer import Observer
from agentscaler.observe.recorded import Recorder as HistoryReader
from agentscaler.observe.sources import NO_SECRETS, Sources
from agentscaler.observe.sources import Settings as SourceSettings
from agentscaler.report.recorder import Recorder
from agentscaler.report.telemetry import Telemetry
from tests.fakes.apiserver import FakeApiServer
from tests.fakes.cluster import FakeCluster
from tests.fakes.connected import QUICK, connected, until
from tests.fakes.faulty_prometheus import FaultyPrometheus, serving
from tests.fakes.gauges import Gauges

HPAS = "horizontalpodautoscalers"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class DatedClock(SystemClock):
    """The real clock for waits, `ahead` by so many seconds; the date is the test's."""

    def __init__(self) -> None:
        self.date = NOON
        self.ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def now(self) -> datetime:
        return self.date


class Leader(FakeCluster):
    """A cluster, and what a leading operator has of it; nothing runs but the watches of targets."""

    def __init__(
        self, server: FakeApiServer, api: Api, metrics: FaultyPrometheus, deadline: timedelta
    ) -> None:
        gauges = metrics.respond
        assert isinstance(gauges, Gauges)
        super().__init__(server, gauges)
        self.metrics = metrics
        self.api = api
        self.clock = DatedClock()
        self.registry = Registry()
        self.registry.begin_to_lead()
        self.telemetry = Telemetry("test")
        self.targets = Targets(api, clock=self.clock)
        self.rivals = Rivals(api, clock=self.clock)
        source = SourceSettings(metrics.address, deadline=deadline)
        self.sources = Sources(source, self.clock)
        recorder = Recorder("me")
        self.record = Record(self.registry, api, recorder, self.telemetry, self.clock)
        history = HistoryReader(self.sources, source.tenancy, self.clock)
        observer = Observer(self.sources, source, self.clock)
        keyring = Keyring(api, self.clock)
        self.drains = Drains(api, observer, keyring, self.clock)
        self.again: list[str] = []
        self.works = Works(lambda entry: None, self._release)
        self.cycle = Cycle(
            Parts(
                api=api,
                judge=Judge(self.registry, self.targets, self.rivals),
                observer=observer,
                forecasts=Forecasts(history, lambda: NO_SECRETS, self.clock),
                drains=self.drains,
                keyring=keyring,
                record=self.record,
                telemetry=self.telemetry,
                clock=self.clock,
            ),
            self.works,
        )

    def entry(self, name: str = "agent") -> Entry:
        found = self.registry.find(f"agents/{name}")
        assert found is not None
        return found

    def restart(self) -> None:
        """Have another process lead from now on: it knows what is recorded, and nothing else."""
        for entry in self.registry:
            self.registry.drop(entry.key)
        self.drains._chosen.clear()

    async def rival(self, name: str = "agent") -> None:
        """Have an HPA on an agent, and let that be known."""
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        about = {"namespace": "agents", "name": f"rival-of-{name}"}
        self.server.objects.put(HPAS, {"metadata": about, "spec": {"scaleTargetRef": target}})
        await until(lambda: bool(self.rivals.of("agents", "Deployment", name)))

    async def no_rival(self, name: str = "agent") -> None:
        """Have that HPA go, and let that be known."""
        self.server.objects.remove(HPAS, "agents", f"rival-of-{name}")
        await until(lambda: not self.rivals.of("agents", "Deployment", name))

    def learn(self) -> None:
        """Let the registry know of every policy as it is now, as the watch does in time."""
        listed = self.server.objects.all(conventions.PLURAL)
        for namespace, name in {(entry.namespace, entry.name) for entry in self.registry}:
            if (namespace, name) not in listed:
                self.registry.drop(f"{namespace}/{name}")
        for body in tuple(listed.values()):
            self.registry.note("MODIFIED", body)

    async def run_pass(
        self,
        *,
        after: float = 1,
        caught_up: bool = True,
        meanwhile: Callable[[], None] | None = None,
    ) -> list[str]:
        """Take all policies through a pass, so many seconds later; name those to look at again.

        What is to happen `meanwhile` happens while that which the pass began is under way, and
        another pass follows at once.
        """
        self.clock.date += timedelta(seconds=after)
        if caught_up:
            self.learn()
        await self.targets.follow(self.registry.kinds())
        await self.targets.settled()
        if caught_up:
            await until(self._has_seen_all)
        self.again.clear()
        await self.cycle.run(list(self.registry))
        await self.cycle.parties.ended()
        if meanwhile is not None:
            meanwhile()
            await self._run_beside(caught_up)
        await self.works.ended()
        await self.drains.release_left_behind()
        return sorted(self.again)

    async def _run_beside(self, caught_up: bool) -> None:
        """Take a pass as the loop does while something is under way for some policies."""
        self.clock.date += timedelta(seconds=1)
        if caught_up:
            self.learn()
        free = {entry.key: entry for entry in self.works.free(self.registry)}
        busy = [entry for entry in self.registry if entry.key not in free]
        await self.cycle.run(list(free.values()), busy)
        await self.cycle.parties.ended()

    def _release(self, entry: Entry, again: bool) -> None:
        if again:
            self.again.append(entry.name)

    def _has_seen_all(self) -> bool:
        """Tell whether the watch has told of every Deployment as it is."""
        for (namespace, name), body in self.server.objects.all("deployments").items():
            seen = self.targets.find(namespace, ScaleTargetRef(name=name))
            if seen is None or seen.resource_version != body["metadata"]["resourceVersion"]:
                return False
        return True

    def new_writes(self, before: int) -> list[tuple[str, str]]:
        """Give the writes since there were so many."""
        return self.writes()[before:]


@asynccontextmanager
async def leading(
    folder: Path,
    *,
    limits: Limits = QUICK,
    may_write: Callable[[], bool] = lambda: True,
    deadline: timedelta = timedelta(seconds=10),
) -> AsyncIterator[Leader]:
    """Start both servers, and lead."""
    with serving(Gauges()) as metrics:
        async with connected(folder, limits=limits, may_write=may_write) as (server, api):
            leader = Leader(server, api, metrics, deadline)
            leader.rivals.start()
            await leader.rivals.settled()
            try:
                yield leader
            finally:
                await leader.targets.close()
                await leader.rivals.close()
                leader.sources.close()
