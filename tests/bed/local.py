"""A real control plane of local processes, with simulated nodes and pods."""

import datetime
import json
from pathlib import Path

from tests.bed import builds, certificates, controlplane, nodes
from tests.bed.certificates import Authority
from tests.bed.config import BedConfig
from tests.bed.controlplane import Credentials
from tests.bed.ground import Ground
from tests.bed.ports import LOOPBACK
from tests.bed.processes import Program, answers, wait_until
from tests.bed.versions import KWOK


class LocalCluster:
    """etcd, API server, controller manager, scheduler, and kwok as every kubelet."""

    name = "local"
    needs = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")

    def __init__(self, ground: Ground, config: BedConfig) -> None:
        self._ground = ground
        self._config = config
        self._port = ground.ports.reserve(config.api_port)
        self._server = f"https://{LOOPBACK}:{self._port}"
        self._client_authority = Authority(
            ground.folder("certificates"), "ca", datetime.datetime.now(datetime.UTC)
        )
        self._credentials = self._issue()
        self._kubectl = ground.tool("kubectl")
        self.programs = {program.name: program for program in self._prepare()}

    def up(self) -> None:
        """Start everything in the order of need, and return when a pod could run."""
        self._write_kubeconfig("kubeconfig", "admin", "system:masters")
        for first in ("etcd", "kube-apiserver"):
            self.programs[first].start()
            self.programs[first].wait_ready()
        for name in self.needs:
            self.programs[name].start()
        self._kubectl("apply", "-f", "-", stdin=nodes.manifests(self._config.nodes))
        for program in self.programs.values():
            program.wait_ready()
        wait_until(self._has_accounts, within=60, what="the default service account")
        wait_until(self._has_nodes, within=60, what="readiness of the nodes")

    def _issue(self) -> Credentials:
        folder = self._client_authority.folder
        now = datetime.datetime.now(datetime.UTC)
        front_proxy = Authority(folder, "front-proxy-ca", now)
        return Credentials(
            authority=self._client_authority.certificate,
            serving=self._client_authority.issue_server("serving"),
            service_accounts=certificates.issue_signing_key(folder, "service-accounts"),
            front_proxy_authority=front_proxy.certificate,
            front_proxy=front_proxy.issue_client("front-proxy"),
        )

    def _prepare(self) -> list[Program]:
        """Describe the programs; the order is that of start."""
        ground, credentials = self._ground, self._credentials
        ca, reserve = credentials.authority, ground.ports.reserve
        etcd, peer, manager, scheduler, kwok = (reserve() for _ in range(5))
        manager_file = self._write_kubeconfig(
            "controller-manager.kubeconfig", "system:kube-controller-manager"
        )
        scheduler_file = self._write_kubeconfig("scheduler.kubeconfig", "system:kube-scheduler")
        kwok_file = self._write_kubeconfig("kwok.kubeconfig", "kwok", "system:masters")
        return [
            ground.program(
                "etcd",
                controlplane.etcd(ground.work / "etcd", etcd, peer),
                ready=answers(f"http://{LOOPBACK}:{etcd}/health"),
            ),
            ground.program(
                "kube-apiserver",
                controlplane.apiserver(self._port, etcd, credentials),
                ready=answers(f"{self._server}/readyz", ca),
            ),
            ground.program(
                "kube-controller-manager",
                controlplane.controller_manager(manager, manager_file, credentials),
                ready=answers(f"https://{LOOPBACK}:{manager}/healthz", ca),
            ),
            ground.program(
                "kube-scheduler",
                controlplane.scheduler(scheduler, scheduler_file, credentials),
                ready=answers(f"https://{LOOPBACK}:{scheduler}/healthz", ca),
            ),
            ground.program(
                "kwok",
                controlplane.kwok(kwok, kwok_file, self._write_stages()),
                ready=answers(f"http://{LOOPBACK}:{kwok}/healthz"),
            ),
        ]

    def _write_kubeconfig(self, file: str, user: str, group: str = "") -> Path:
        return certificates.write_kubeconfig(
            self._ground.work / file,
            self._server,
            self._client_authority.certificate,
            self._client_authority.issue_client(user, group),
        )

    def _write_stages(self) -> Path:
        path = self._ground.work / "stages.yaml"
        path.write_text(
            nodes.stages(
                builds.data_of(KWOK),
                start=self._config.start_delay,
                stop=self._config.stop_delay,
            )
        )
        return path

    def _has_accounts(self) -> bool:
        """The controller manager works: without this account no pod can be made."""
        found = self._kubectl("get", "serviceaccount", "default", "--ignore-not-found", "-o=name")
        return bool(found)

    def _has_nodes(self) -> bool:
        """The kubelets work, and the scheduler may use them."""
        found = json.loads(self._kubectl("get", "nodes", "-o=json"))["items"]
        conditions = [each["status"].get("conditions", []) for each in found]
        ready = [
            any(c["type"] == "Ready" and c["status"] == "True" for c in cs) for cs in conditions
        ]
        untainted = [not each["spec"].get("taints") for each in found]
        return len(found) == self._config.nodes and all(ready) and all(untainted)
