"""The chart's gateway as a process, with the rights of its ServiceAccount, before a real API."""

import base64
import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import yaml

from tests.bed import Bed
from tests.bed.lifeline import Lifeline
from tests.bed.ports import LOOPBACK, Ports
from tests.bed.processes import Program, answers
from tests.e2e.worlds import SYSTEM_NAMESPACE

CHART = Path(__file__).parents[2] / "helm" / "agentscaler"
RELEASE = "edge"
ACCOUNT = f"{RELEASE}-agentscaler-gateway"
USER = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{ACCOUNT}"


class InstalledGateway:
    """A release of the chart with a gateway; a context manager that also runs it here."""

    def __init__(self, bed: Bed, *routes: dict[str, Any]) -> None:
        self._bed = bed
        self._folder = bed.work / RELEASE
        self._folder.mkdir(exist_ok=True)
        self._ports, self._lifeline = Ports(), Lifeline()
        self._listen, self._admin = (f"{LOOPBACK}:{self._ports.reserve()}" for _ in range(2))
        self.url = f"http://{self._listen}"
        self._install(routes)
        program = Path(sys.executable).with_name("agentscaler")
        self._program = Program(
            "gateway",
            [
                "/usr/bin/env",
                *self._environment(),
                program,
                "gateway",
                f"--config={self._config()}",
            ],
            log=bed.work / "logs" / "gateway.log",
            ready=answers(f"http://{self._admin}/readyz"),
            lifeline=self._lifeline,
        )

    def __enter__(self) -> "InstalledGateway":
        try:
            self._program.start()
            self._program.wait_ready()
        except BaseException:
            self._down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._down()

    def namespaces(self) -> set[str]:
        """Tell in which namespaces its agents' series are."""
        page = requests.get(f"http://{self._admin}/metrics", timeout=5).text
        return set(re.findall(r'^agent_queue_depth\{.*namespace="([^"]+)"', page, re.MULTILINE))

    def backends(self) -> set[str]:
        """Tell which backends it knows, by its own metrics."""
        page = requests.get(f"http://{self._admin}/metrics", timeout=5).text
        healthy = r'^agentscaler_gateway_backend_healthy\{.*backend="([^"]+)"'
        return set(re.findall(healthy, page, re.MULTILINE))

    def _down(self) -> None:
        self._program.stop()
        self._lifeline.close()
        self._ports.release()
        self._bed.helm("uninstall", RELEASE, "--namespace", SYSTEM_NAMESPACE)

    def _install(self, routes: tuple[dict[str, Any], ...]) -> None:
        values = self._folder / "values.yaml"
        gateway = {"enabled": True, "replicas": 0, "config": {"routes": list(routes)}}
        values.write_text(
            yaml.safe_dump(
                {
                    "replicas": 0,
                    "crds": {"enabled": False},
                    "prometheus": {"url": self._bed.prometheus_url},
                    "gateway": gateway,
                }
            )
        )
        self._bed.helm(
            "install", RELEASE, str(CHART), "--namespace", SYSTEM_NAMESPACE,
            "--values", str(values),
        )  # fmt: skip

    def _config(self) -> Path:
        """Take the file of the ConfigMap, with free ports in place of the pod's."""
        found = self._bed.kubectl(
            "get", "configmap", ACCOUNT, f"--namespace={SYSTEM_NAMESPACE}", "--output=json"
        )
        content = yaml.safe_load(json.loads(found)["data"]["gateway.yaml"])
        path = self._folder / "gateway.yaml"
        path.write_text(yaml.safe_dump(content | {"listen": self._listen, "admin": self._admin}))
        return path

    def _environment(self) -> list[str]:
        """Give what a pod would have: the address of the API server, its authority, a token."""
        raw = self._bed.kubectl("config", "view", "--raw", "--minify", "--output=json")
        cluster = json.loads(raw)["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"])
        (self._folder / "ca.crt").write_bytes(authority)
        token = self._bed.kubectl(
            "create", "token", ACCOUNT, f"--namespace={SYSTEM_NAMESPACE}", "--duration=1h"
        )
        (self._folder / "token").write_text(token)
        address = urlsplit(cluster["server"])
        return [
            f"KUBERNETES_SERVICE_HOST={address.hostname}",
            f"KUBERNETES_SERVICE_PORT={address.port or 443}",
            f"KUBERNETES_SERVICE_ACCOUNT={self._folder}",
            f"POD_NAMESPACE={SYSTEM_NAMESPACE}",
        ]
