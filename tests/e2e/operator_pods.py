"""The chart's operator as it really runs: two pods, of which one leads."""

import json

import requests

from tests.bed import Bed
from tests.bed.deployed import Deployed
from tests.bed.processes import wait_until
from tests.e2e.worlds import SYSTEM_NAMESPACE

PORT = 8080
REPLICAS = 2
LEASE = "agentscaler-leader"


class OperatorPods:
    """Both replicas as one operator: killed or terminated it is away, started it is back.

    What it tells of itself is told by the pod that leads.
    """

    def __init__(self, bed: Bed, release: str) -> None:
        self._bed = bed
        self._http = requests.Session()
        self._http.trust_env = False
        selector = f"app.kubernetes.io/instance={release},app.kubernetes.io/component=operator"
        self._pods = Deployed(bed.kubectl, SYSTEM_NAMESPACE, release, selector, REPLICAS)

    def __enter__(self) -> "OperatorPods":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def kill(self) -> None:
        """End both without a warning."""
        self._pods.kill()

    def terminate(self) -> None:
        """Ask both to end, and wait."""
        self._pods.stop()

    def start(self) -> None:
        """Have both back, one of them leading."""
        self._pods.start()
        self._pods.wait_ready()
        wait_until(lambda: self.leader() is not None, within=40, what="a leader")

    def pods(self) -> list[str]:
        """Name its pods."""
        return self._pods.pods()

    def leader(self) -> str | None:
        """Name the pod that holds the Lease; nothing while none of the present ones does."""
        found = self._bed.kubectl(
            *("get", "lease", LEASE, f"--namespace={SYSTEM_NAMESPACE}"),
            *("--ignore-not-found", "--output=json"),
        )
        holder = json.loads(found)["spec"].get("holderIdentity") or "" if found else ""
        pod = holder.rpartition("_")[0]  # the rest tells two starts of one container apart
        return pod if pod in self.pods() else None

    def metric(self, name: str, **labels: str) -> float:
        """Read one of the leader's metrics; 0 where there is no such series."""
        return value_on(self.page(), name, **labels)

    def page(self, pod: str | None = None) -> str:
        """Read the metrics page of a pod, or of the one that leads."""
        pod = pod or self.leader()
        assert pod is not None, "no replica leads"
        assert self._bed.inside is not None
        url = self._bed.inside.reach("pods", pod, PORT, SYSTEM_NAMESPACE)
        answer = self._http.get(f"{url}/metrics", timeout=10)
        answer.raise_for_status()
        return answer.text

    def text(self) -> str:
        """Return what both have written."""
        return self._pods.text()


def value_on(page: str, name: str, **labels: str) -> float:
    """Find a series on a metrics page; 0 where there is none."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    for line in page.splitlines():
        series, _, value = line.rpartition(" ")
        if series.partition("{")[0] == name and all(each in series for each in wanted):
            return float(value)
    return 0.0
