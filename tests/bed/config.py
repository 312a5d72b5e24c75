"""What a caller may choose about a bed."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from tests.bed.nodes import Seconds


def _wanted_cluster() -> str:
    return os.environ.get("CLUSTER") or "local"


@dataclass(frozen=True)
class BedConfig:
    """A bed's choices; every default suits a test.

    cluster: `local`, `kind` or `current`; by default what CLUSTER says.
    nodes: how many nodes are simulated (local only).
    start_delay, stop_delay: the range of seconds a pod takes to become ready, or to go, once it
        is bound or deleted (local only); single pods may say otherwise, see `nodes`.
    scrape_interval: how often Prometheus reads its targets.
    lookback: for how long Prometheus takes a series' last sample for its present one; a history
        has no other end.
    history: an OpenMetrics file with timestamps that Prometheus knows from the start.
    api_port, prometheus_port: 0 is any free port.
    """

    cluster: str = field(default_factory=_wanted_cluster)
    nodes: int = 5
    start_delay: Seconds = (0.1, 0.5)
    stop_delay: Seconds = (0.0, 0.2)
    scrape_interval: str = "1s"
    lookback: str = "5m"
    history: Path | None = None
    api_port: int = 0
    prometheus_port: int = 0
