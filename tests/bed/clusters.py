"""Choose the cluster of a bed: local, kind or current."""

import os
from collections.abc import Mapping
from typing import Protocol

from rich.console import Console

from tests.bed import builds
from tests.bed.config import BedConfig
from tests.bed.current import CurrentCluster
from tests.bed.errors import BedError, UnavailableError
from tests.bed.ground import Ground
from tests.bed.kind import KindCluster
from tests.bed.local import LocalCluster
from tests.bed.processes import Program
from tests.bed.tools import Tool

NAMES = ("local", "kind", "current")


class Cluster(Protocol):
    """A Kubernetes that a bed can use."""

    @property
    def name(self) -> str:
        """One of NAMES."""

    @property
    def programs(self) -> Mapping[str, Program]:
        """The processes that a test may stop and start."""

    def up(self) -> None:
        """Make the cluster ready and write the ground's kubeconfig."""


def cluster(ground: Ground, config: BedConfig, console: Console) -> Cluster:
    """Return the wanted cluster; raise UnavailableError, one line, where it cannot be had."""
    match config.cluster:
        case "kind":
            found: KindCluster | CurrentCluster = KindCluster(ground)
        case "current":
            builds.ensure(console, ["kubectl"])
            found = CurrentCluster(ground, Tool(builds.locate("kubectl"), os.environ))
        case "local":
            builds.ensure(console, LocalCluster.needs)
            return LocalCluster(ground, config)
        case unknown:
            raise BedError(f"there is no cluster {unknown!r}; CLUSTER is one of {', '.join(NAMES)}")
    try:
        found.check()
    except UnavailableError as exc:
        raise UnavailableError(f"CLUSTER={config.cluster}: {exc}") from exc
    return found
