"""The composition root of the operator: what it is made of, and in which order it starts and ends.

Every replica follows policies and targets, so that a standby is warm; only the one that holds the
Lease of a shard reads metrics, decides and writes, and only for the namespaces of that shard.
"""

import asyncio
import random
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from agentscaler import __version__, conventions
from agentscaler.act.client import Api, Limits, connect
from agentscaler.act.rivals import Rivals
from agentscaler.act.targets import Targets
from agentscaler.clock import SystemClock
from agentscaler.control import placing, probes, sharding, standing, sweeping
from agentscaler.control.analyzer import Analyzer
from agentscaler.control.candidacy import Candidacy, candidate
from agentscaler.control.cycle import Cycle, Parts
from agentscaler.control.draining import Drains
from agentscaler.control.forecasts import Forecasts
from agentscaler.control.keyring import Keyring
from agentscaler.control.leadership import Terms
from agentscaler.control.loop import Loop, Rounds
from agentscaler.control.proceeding import PLACES, Line, Works
from agentscaler.control.reconciliation import Reconciler
from agentscaler.control.recording import Record
from agentscaler.control.registry import Registry
from agentscaler.control.schedule import Schedule
from agentscaler.control.sharding import Shard
from agentscaler.control.standing import Judge
from agentscaler.errors import AgentscalerError
from agentscaler.handlers import admission, watching
from agentscaler.handlers.admission import Desk
from agentscaler.observe import profiles
from agentscaler.observe.observer import Observer
from agentscaler.observe.recorded import Recorder as HistoryReader
from agentscaler.observe.sources import Settings as SourceSettings
from agentscaler.observe.sources import Sources
from agentscaler.report import logs
from agentscaler.report.recorder import Recorder
from agentscaler.report.telemetry import Telemetry

_LOG: Final = logs.logger("agentscaler")
# So much of the right to write must be left; the Lease is renewed every two seconds.
_WRITE_MARGIN: Final = timedelta(seconds=3)
# A write sent when that is left of ten seconds is given up before a Lease of fifteen runs out.
_WRITE_SECONDS: Final = 7.0
_LEASE_LIMITS: Final = Limits(timeout_seconds=Terms().request_timeout.total_seconds())
_STALLED_SECONDS: Final = 60.0
# Where there is always something to be told, histories wait no longer than this.
_TELLING_SECONDS: Final = 60.0
_LONGEST_MANAGER: Final = 128  # the API server takes no longer one


@dataclass(frozen=True, slots=True)
class Settings:
    """How one operator process runs; `agentscaler run --help` explains each."""

    source: SourceSettings
    kubeconfig: Path | None = None
    namespaces: tuple[str, ...] = ()
    keda: bool = True
    lease_namespace: str = "default"
    lease_name: str = conventions.LEASE_NAME
    shards: int = 1
    desk: Desk | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    requests_per_second: float = 200.0

    @property
    def manager(self) -> str:
        """Name who writes, as managed fields note it: the same for all replicas of a release.

        Another release has another Lease, so that two which act on one target see each other.
        """
        lease = f"{self.lease_namespace}/{self.lease_name}"
        return f"{conventions.FIELD_MANAGER}@{lease}"[:_LONGEST_MANAGER]


class Operator:
    """One operator process: its parts, and how they run together."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
        self._telemetry = Telemetry(__version__)
        self._shards = sharding.shards(settings.shards)
        for shard in self._shards:
            self._telemetry.leader.labels(str(shard.number)).set(0)
        self._registry = Registry()
        phase = random.uniform(0, 60)  # noqa: S311  (keeps operators from polling in step)
        self._loop = Loop(self._registry, Schedule(phase), self._telemetry, self._clock)
        self._stop = asyncio.Event()
        self._is_leading = False
        self._unready = "policies are not watched yet"

    def stop(self) -> None:
        """Ask the operator to end: what it has begun to write is written, the Lease given back."""
        self._stop.set()

    async def run(self) -> None:
        """Run until told to stop; raise when the right to write is lost or kopf fails."""
        async with (
            self._connected() as (api, candidacy),
            self._cluster(api) as (targets, rivals),
            self._pages(),
            self._desk(),
        ):
            policies = asyncio.create_task(self._watch_policies(api), name="policies")
            lead = partial(self._lead, api, targets, rivals)
            leading = asyncio.create_task(candidacy.lead(lead), name="leading")
            await self._until_over(policies, leading)

    async def _until_over(self, *tasks: "asyncio.Task[None]") -> None:
        """Wait for the stop, or for the first task that fails; end all, the last one first."""
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stop.set()
            stopping.cancel()
        policies, leading = tasks
        if not self._is_leading:
            leading.cancel()
        ended = await asyncio.gather(leading, policies, return_exceptions=True)
        for each in ended:
            # A defect of a library in another language is no Exception.
            if each is not None and not isinstance(each, asyncio.CancelledError):
                raise each

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[Api, Candidacy]]:
        """Connect twice: a renewal of the Lease must not queue behind a thousand patches."""
        kubeconfig, rate = self._settings.kubeconfig, self._settings.requests_per_second
        lease_api = await connect(kubeconfig, clock=self._clock, limits=_LEASE_LIMITS)
        candidacy = self._candidacy(lease_api)
        api = await connect(
            kubeconfig,
            clock=self._clock,
            limits=Limits(
                concurrency=PLACES,
                per_second=rate,
                burst=round(2 * rate),
                timeout_seconds=_WRITE_SECONDS,
            ),
            may_write=partial(candidacy.right_to_write, _WRITE_MARGIN),
            manager=self._settings.manager,
        )
        try:
            yield api, candidacy
        finally:
            await api.close()
            await lease_api.close()

    @asynccontextmanager
    async def _cluster(self, api: Api) -> AsyncIterator[tuple[Targets, Rivals]]:
        """Follow targets and rivals."""
        namespaces = self._settings.namespaces
        targets = Targets(
            api,
            clock=self._clock,
            namespaces=namespaces,
            on_change=lambda key: self._loop.note_target(key, targets),
        )
        rivals = Rivals(
            api,
            clock=self._clock,
            namespaces=namespaces,
            keda=self._settings.keda,
            on_change=self._loop.note_rival,
        )
        rivals.start()
        try:
            yield targets, rivals
        finally:
            await rivals.close()
            await targets.close()

    @asynccontextmanager
    async def _pages(self) -> AsyncIterator[None]:
        pages = probes.Probes(
            alive=self._stalled, ready=lambda: self._unready, metrics=self._telemetry.page
        )
        runner = await probes.serve(pages, self._settings.host, self._settings.port)
        _LOG.info("listening", host=self._settings.host, port=probes.port_of(runner))
        try:
            yield
        finally:
            await runner.cleanup()

    def _stalled(self) -> str:
        still = self._clock.monotonic() - self._loop.turned_at
        if self._is_leading and still > _STALLED_SECONDS:
            return f"no pass began for {still:.0f}s"
        return ""

    def _candidacy(self, api: Api) -> Candidacy:
        settings = self._settings
        place = (settings.lease_namespace, settings.lease_name)
        return candidate(api, self._identity, place, settings.shards, clock=self._clock)

    @asynccontextmanager
    async def _desk(self) -> AsyncIterator[None]:
        """Answer the API server what the linter says of policies, where that is asked for."""
        if self._settings.desk is None:
            yield
            return
        remarks = partial(standing.remarks, self._registry)
        async with admission.serving(self._settings.desk, remarks, self._clock) as port:
            _LOG.info("answering the API server", port=port)
            yield

    async def _watch_policies(self, api: Api) -> None:
        namespaces = self._settings.namespaces
        if not await watching.is_known(api, namespaces, self._stop, self._clock):
            return
        tasks, listed = await watching.begin(api, namespaces, self._loop.note, self._stop)
        catch_signals(self.stop)  # after kopf has set its own handlers
        knowing = asyncio.create_task(self._know_policies(api, listed))
        try:
            await _first_of(tasks)
        finally:
            knowing.cancel()

    async def _know_policies(self, api: Api, listed: asyncio.Event) -> None:
        """Be ready once every policy is known, so that a standby could take over."""
        await listed.wait()
        self._unready = "not all policies are known yet"
        await self._reconciler(api).catch_up()
        self._unready = ""

    async def _lead(self, api: Api, targets: Targets, rivals: Rivals, shard: Shard) -> None:
        """Do the operator's work while the Lease is held."""
        _LOG.info("leading", identity=self._identity, shard=shard.number, shards=shard.count)
        leader = self._telemetry.leader.labels(str(shard.number))
        self._registry.confine(shard.owns)
        rounds, reconciler, sources = self._rounds(api, targets, rivals)
        try:
            await self._take_over(reconciler, rounds.record, targets, rivals)
            self._is_leading = True
            leader.set(1)  # not before: an alert has to tell of a take-over that comes to no end
            await _together(
                self._loop.run(rounds, self._stop),
                reconciler.run(),
                self._fill(rounds),
                self._analyzer(api, targets, sources[1]).run(),
                self._sweep(),
                rounds.record.post_events(),
                rounds.drains.run(),
            )
            await rounds.record.post_due_events()
        finally:
            for each in sources:
                each.close()
            leader.set(0)

    async def _take_over(
        self, reconciler: Reconciler, record: Record, targets: Targets, rivals: Rivals
    ) -> None:
        """Know the cluster as it is before the first pass, and tell what was left untold."""
        await reconciler.catch_up()
        self._registry.begin_to_lead()
        await targets.follow(self._registry.kinds())
        await targets.settled()
        await rivals.settled()
        judge = Judge(self._registry, targets, rivals, self._settings.manager)
        for entry in self._registry:
            record.tell_again(entry, judge.reference(entry))

    async def _fill(self, rounds: Rounds) -> None:
        """Work histories in, which takes a core for a while, once all policies were told of."""
        await self._loop.first_pass_ended.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(_TELLING_SECONDS):
                await rounds.works.ended(Line.STATUS)
        await rounds.forecasts.fill()

    async def _sweep(self) -> None:
        await self._loop.first_pass_ended.wait()
        await sweeping.run(self._loop.between_passes, self._clock)

    def _analyzer(self, api: Api, targets: Targets, sources: Sources) -> Analyzer:
        asking = partial(profiles.fetch_from_own, sources, self._clock)
        looking = partial(placing.look, api, targets)
        return Analyzer(self._registry, asking, looking, self._clock, self._loop.between_passes)

    def _reconciler(self, api: Api) -> Reconciler:
        return Reconciler(
            api,
            self._registry,
            namespaces=self._settings.namespaces,
            look_at=self._loop.look_at,
            clock=self._clock,
        )

    def _rounds(
        self, api: Api, targets: Targets, rivals: Rivals
    ) -> tuple[Rounds, Reconciler, tuple[Sources, Sources]]:
        clock, telemetry, registry = self._clock, self._telemetry, self._registry
        source = self._settings.source
        present = Sources(source, clock)
        past = Sources(source, clock, workers=2)  # long reads on connections of their own
        keyring = Keyring(api, clock)
        observer = Observer(present, source, clock)
        forecasts = Forecasts(
            HistoryReader(past, source.tenancy, clock), lambda: keyring.known, clock
        )
        drains = Drains(api, observer, keyring, clock)
        record = Record(registry, api, Recorder(self._identity), telemetry, clock)
        works = Works(self._loop.hold, self._loop.release)
        cycle = Cycle(
            Parts(
                api=api,
                judge=Judge(registry, targets, rivals, self._settings.manager),
                observer=observer,
                forecasts=forecasts,
                drains=drains,
                keyring=keyring,
                record=record,
                telemetry=telemetry,
                clock=clock,
            ),
            works,
        )
        reconciler = self._reconciler(api)
        rounds = Rounds(cycle, works, record, targets, forecasts, observer, telemetry, drains)
        return rounds, reconciler, (present, past)


async def _together(*works: Coroutine[None, None, None]) -> None:
    """Run these until the first ends, then end the others; raise what that one raised."""
    await _first_of([asyncio.create_task(work) for work in works])


async def _first_of(tasks: Collection["asyncio.Task[None]"]) -> None:
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def catch_signals(stop: Callable[[], None]) -> None:
    """End gracefully on SIGTERM and SIGINT; kopf's own way would leave the Lease to run out."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


async def run(settings: Settings) -> None:
    """Run one operator until it is told to stop."""
    operator = Operator(settings)
    catch_signals(operator.stop)
    try:
        await operator.run()
    except AgentscalerError as exc:
        _LOG.error("operator ended", error=str(exc))
        raise
    _LOG.info("operator stopped")
