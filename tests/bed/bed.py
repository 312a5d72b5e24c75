"""A bed: a cluster and a Prometheus that end with whoever made them."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console

from tests.bed import builds, clusters, prometheus
from tests.bed.clusters import Cluster
from tests.bed.config import BedConfig
from tests.bed.deployed import Deployed
from tests.bed.errors import BedError
from tests.bed.ground import Ground
from tests.bed.inside import Inside
from tests.bed.manifests import PROMETHEUS, PROMETHEUS_PORT
from tests.bed.ports import LOOPBACK
from tests.bed.processes import Program, answers

SHARED_PROGRAMS = ("kubectl", "helm", "prometheus", "promtool")


class Bed:
    """A running cluster with a Prometheus; a context manager that takes everything down.

    kubeconfig: an administrator's; prometheus_url: as an operator reaches it, prometheus_here: as
    this process does, both without a path; work: a folder for the caller's files too, removed with
    the bed; cluster: which kind of cluster it is; inside: what runs in its pods, nothing on the
    local one, whose pods are simulated.
    """

    def __init__(self, config: BedConfig, ground: Ground, cluster: Cluster) -> None:
        """Prepare; `Bed.up` is the way to get a bed that runs."""
        if config.history and not config.history.is_file():
            raise BedError(f"there is no history at {config.history}")
        self.work = ground.work
        self.kubeconfig = ground.kubeconfig
        self.cluster = cluster.name
        self.kubectl = ground.tool("kubectl")
        self.helm = ground.tool("helm")
        self.promtool = ground.tool("promtool")
        self._config = config
        self._ground = ground
        self._cluster = cluster
        self.inside = None if cluster.name == "local" else Inside(ground, config)
        if self.inside:
            self.prometheus_url = self.inside.prometheus_url
            self.prometheus_here = self.inside.reach("services", PROMETHEUS, PROMETHEUS_PORT)
        else:
            port = ground.ports.reserve(config.prometheus_port)
            self.prometheus_url = self.prometheus_here = f"http://{LOOPBACK}:{port}"
        self.programs: Mapping[str, Program | Deployed] = {
            **cluster.programs,
            "prometheus": self.inside.prometheus if self.inside else self._prepare_prometheus(port),
        }

    @classmethod
    def up(cls, config: BedConfig | None = None, console: Console | None = None) -> Self:
        """Build what is missing, start everything, and return when it is ready."""
        config, console = config or BedConfig(), console or Console(stderr=True)
        builds.ensure(console, SHARED_PROGRAMS)
        ground = Ground()
        try:
            bed = cls(config, ground, clusters.cluster(ground, config, console))
            bed._start()
        except BaseException:
            ground.clear()
            raise
        return bed

    def down(self) -> None:
        """End every process and remove every file; a second call does nothing."""
        self._ground.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def start(self, program: str) -> None:
        """Start a stopped program again, with its port and data, and wait until it is ready."""
        self._program(program).start()
        self._program(program).wait_ready()

    def stop(self, program: str) -> None:
        """Ask a program to end, and wait for it."""
        self._program(program).stop()

    def kill(self, program: str) -> None:
        """End a program as a crash would."""
        self._program(program).kill()

    def logs(self, program: str) -> str:
        """Return all that a program has written."""
        return self._program(program).text()

    def scrape(
        self,
        name: str,
        address: str,
        *,
        path: str = "/metrics",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Let Prometheus scrape a page; `name` is its job, `address` a host:port.

        Prometheus takes up changes of its targets every five seconds.
        """
        prometheus.write_target(self._targets, name, address, path, labels or {})

    def unscrape(self, name: str) -> None:
        """Let Prometheus forget a page."""
        (self._targets / f"{name}.json").unlink(missing_ok=True)

    def adopt(self, path: Path) -> None:
        """Have a file or folder of the caller's removed with the bed."""
        self._ground.lifeline.note_path(path)

    def environment(self) -> dict[str, str]:
        """Return what a process needs to use this bed; add it to its environment."""
        return self._ground.environment() | {"AGENTSCALER_PROMETHEUS_URL": self.prometheus_here}

    @property
    def _targets(self) -> Path:
        return self._ground.folder("targets")

    def _start(self) -> None:
        """Start the cluster and, beside it or in it, Prometheus."""
        if self.inside:
            self._cluster.up()
            self.inside.up()
            return
        with ThreadPoolExecutor(1) as pool:
            metrics = pool.submit(self._start_prometheus)
            self._cluster.up()
            metrics.result()

    def _start_prometheus(self) -> None:
        if self._config.history:
            prometheus.backfill(self.promtool, self._config.history, self.work / "prometheus")
        self.start("prometheus")

    def _prepare_prometheus(self, port: int) -> Program:
        file = self.work / "prometheus.yaml"
        file.write_text(prometheus.configuration(self._targets, self._config.scrape_interval))
        return self._ground.program(
            "prometheus",
            prometheus.arguments(port, file, self.work / "prometheus", self._config.lookback),
            ready=answers(f"{self.prometheus_url}/-/ready"),
        )

    def _program(self, name: str) -> Program | Deployed:
        try:
            return self.programs[name]
        except KeyError:
            known = ", ".join(self.programs)
            raise BedError(f"the {self.cluster} cluster has no program {name}; {known}") from None
