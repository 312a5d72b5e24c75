"""What a bed runs in the pods of its cluster, and how this process reaches into it.

The way in is the API server's own proxy: it outlives the pods behind it, other than a forwarded
port, and needs neither a load balancer nor a route.
"""

import yaml

from tests.bed import manifests
from tests.bed.config import BedConfig
from tests.bed.deployed import Deployed
from tests.bed.ground import Ground
from tests.bed.ports import LOOPBACK
from tests.bed.processes import answers

APPLY_SECONDS = 120


class Inside:
    """A Prometheus and a fleet in a namespace of their own, which goes with the bed.

    prometheus_url: for programs in pods; `reach` gives addresses for this process.
    """

    def __init__(self, ground: Ground, config: BedConfig) -> None:
        self._ground = ground
        self._config = config
        self._kubectl = ground.tool("kubectl")
        port = ground.ports.reserve()
        self._way_in = f"http://{LOOPBACK}:{port}"
        self._proxy = ground.program(
            "kubectl",
            ["proxy", f"--port={port}", f"--kubeconfig={ground.kubeconfig}"],
            ready=answers(f"{self._way_in}/version"),
        )
        self.prometheus = self._deployed(manifests.PROMETHEUS)
        self.fleet = self._deployed(manifests.FLEET)
        self.prometheus_url = (
            f"http://{manifests.PROMETHEUS}.{manifests.NAMESPACE}:{manifests.PROMETHEUS_PORT}"
        )

    def up(self) -> None:
        """Apply everything, and return when it is ready."""
        for kind, name in (
            ("namespace", manifests.NAMESPACE),
            ("clusterrole", f"{manifests.NAMESPACE}-{manifests.FLEET}"),
            ("clusterrolebinding", f"{manifests.NAMESPACE}-{manifests.FLEET}"),
        ):
            self._forget(kind, name)
        documents = manifests.documents(self._config.scrape_interval, self._config.lookback)
        self._apply(documents[:1])
        if self._config.history:
            # Not by `apply`, which would write all of it into an annotation as well.
            self._kubectl(
                *("create", "configmap", manifests.HISTORY, f"--namespace={manifests.NAMESPACE}"),
                f"--from-file=past.om={self._config.history}",
            )
        self._apply(documents[1:])
        self._proxy.start()
        self._proxy.wait_ready()
        for program in (self.prometheus, self.fleet):
            program.wait_ready()

    def reach(self, kind: str, name: str, port: int, namespace: str = manifests.NAMESPACE) -> str:
        """Give the address of a Service or a pod (`services`, `pods`), without a path."""
        return f"{self._way_in}/api/v1/namespaces/{namespace}/{kind}/{name}:{port}/proxy"

    def _deployed(self, name: str) -> Deployed:
        return Deployed(self._kubectl, manifests.NAMESPACE, name, f"app={name}", 1)

    def _apply(self, documents: list[manifests.Document]) -> None:
        stdin = yaml.safe_dump_all(documents)
        self._kubectl("apply", "--filename=-", stdin=stdin, timeout=APPLY_SECONDS)

    def _forget(self, kind: str, name: str) -> None:
        self._ground.lifeline.note_command(
            *(self._kubectl.program, "delete", kind, name, "--ignore-not-found"),
            f"--kubeconfig={self._ground.kubeconfig}",
        )
