"""KEDA as the official programs, beside a control plane whose HPA controller does the scaling.

The operator makes an HPA of each ScaledObject; the HPA controller asks the API server for its
metric, which asks KEDA's adapter, which asks KEDA's operator, which asks Prometheus.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from agentscaler import conventions
from agentscaler.act.places import AUTOSCALERS, SCALED_OBJECTS
from tests.bed import Bed, builds
from tests.bed.lifeline import Lifeline
from tests.bed.ports import Ports
from tests.bed.processes import Program, wait_until
from tests.bed.versions import KEDA
from tests.benchmarks.reaction import cluster, keda_programs
from tests.benchmarks.reaction.cluster import Document
from tests.benchmarks.reaction.contenders import MOST_REPLICAS
from tests.benchmarks.reaction.loads import SLOTS

_TARGET_UTILIZATION: Final = 0.7
_USUAL_INTERVAL: Final = 15


@dataclass(frozen=True, slots=True)
class Setting:
    """How fast KEDA and the HPA controller may go; the defaults are those of both."""

    requests_per_second: int = 20
    burst: int = 30
    workers: int = 5
    follows_interval: bool = False

    @property
    def rate(self) -> tuple[str, str]:
        """Write the limits as flags, which are the same for all of these programs."""
        return f"--kube-api-qps={self.requests_per_second}", f"--kube-api-burst={self.burst}"


DEFAULTS: Final = Setting()
TUNED: Final = Setting(requests_per_second=1000, burst=2000, workers=50, follows_interval=True)


class Keda:
    """KEDA with the HPA, in one setting."""

    resource = SCALED_OBJECTS
    judged = AUTOSCALERS

    def __init__(
        self,
        name: str,
        setting: Setting,
        sizes: tuple[int, ...],
        intervals: tuple[int, ...],
        prometheus_url: str,
    ) -> None:
        self.name = name
        self.sizes = sizes
        self.intervals = intervals
        self._setting = setting
        self._prometheus_url = prometheus_url
        self._programs: tuple[Program, ...] = ()

    def document(self, name: str, namespace: str, interval: int) -> Document:
        query = (
            f"sum({conventions.ACTIVE_REQUESTS}"
            f'{{{conventions.NAMESPACE_LABEL}="{namespace}",{conventions.AGENT_LABEL}="{name}"}})'
        )
        trigger = {
            "serverAddress": self._prometheus_url,
            "query": query,
            "threshold": f"{SLOTS * _TARGET_UTILIZATION:g}",
        }
        patience = {"scaleDown": {"stabilizationWindowSeconds": 3600}}
        return {
            "apiVersion": SCALED_OBJECTS.api_version,
            "kind": "ScaledObject",
            "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"name": name},
                "minReplicaCount": 1,
                "maxReplicaCount": MOST_REPLICAS,
                "advanced": {"horizontalPodAutoscalerConfig": {"behavior": patience}},
                "triggers": [{"type": "prometheus", "metadata": trigger}],
                **self.polling(interval),
            },
        }

    def polling(self, interval: int) -> Document:
        return {"pollingInterval": interval}

    def is_evaluated(self, body: Document) -> bool:
        conditions = body.get("status", {}).get("conditions") or ()
        return any(
            each["type"] == "ScalingActive" and each["status"] == "True" for each in conditions
        )

    @contextlib.contextmanager
    def running(self, bed: Bed) -> Iterator[None]:
        ports, lifeline = Ports(), Lifeline()
        try:
            self._programs = keda_programs.programs(
                bed, ports, lifeline, rate=self._setting.rate, workers=self._setting.workers
            )
            for program in self._programs:
                program.start()
                program.wait_ready()
            wait_until(
                lambda: keda_programs.is_served(bed), within=60, what="the API of KEDA's metrics"
            )
            yield
        finally:
            for program in reversed(self._programs):
                program.stop()
            self._programs = ()
            lifeline.close()
            ports.release()

    def tune(self, bed: Bed, interval: int) -> None:
        """Have the HPA controller, and KEDA if it runs, work as this setting says."""
        self._limit(bed, self._setting, interval)

    def hurry(self, bed: Bed) -> None:
        """Lift the limits of both for a while."""
        self._limit(bed, TUNED, self.intervals[0])

    def _limit(self, bed: Bed, setting: Setting, interval: int) -> None:
        _restart_manager(bed, setting, interval)
        for program in self._programs:
            if not set(setting.rate) <= set(program.argv):
                cluster.restart(program, *setting.rate)


def install(bed: Bed, console: Console) -> None:
    """Build KEDA if need be, and make its kinds and its namespace."""
    builds.ensure(console, tuple(KEDA.programs))
    for file in sorted(builds.data_of(KEDA).glob("*.yaml")):
        # Applied in the usual way, the largest would not fit into an annotation.
        bed.kubectl("apply", "--server-side", "--filename", str(file))
    bed.kubectl("create", "namespace", keda_programs.NAMESPACE)


def _restart_manager(bed: Bed, setting: Setting, interval: int) -> None:
    period = interval if setting.follows_interval else _USUAL_INTERVAL
    cluster.restart_manager(
        bed,
        *setting.rate,
        f"--horizontal-pod-autoscaler-sync-period={period}s",
        f"--concurrent-horizontal-pod-autoscaler-syncs={setting.workers}",
    )
