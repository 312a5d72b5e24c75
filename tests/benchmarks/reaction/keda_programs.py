"""KEDA's two programs outside the cluster, and how the API server finds the one of them."""

import datetime
import json
import shutil
from pathlib import Path
from typing import Final

from tests.bed import Bed, builds
from tests.bed.certificates import Authority, Pair
from tests.bed.lifeline import Lifeline
from tests.bed.ports import LOOPBACK, Ports
from tests.bed.processes import Program, answers

NAMESPACE: Final = "keda"
_API: Final = "v1beta1.external.metrics.k8s.io"


def programs(
    bed: Bed, ports: Ports, lifeline: Lifeline, *, rate: tuple[str, str], workers: int
) -> tuple[Program, Program]:
    """Prepare the operator and the adapter; `rate` are the flags that limit their requests."""
    folder = bed.work / "keda"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    authority = Authority(folder, "ca", datetime.datetime.now(datetime.UTC))
    serving, asking = authority.issue_server("serving"), authority.issue_client("adapter")
    grpc, metrics, probe, secure, page = (ports.reserve() for _ in range(5))
    environment = {
        "KUBECONFIG": str(bed.kubeconfig),
        "POD_NAMESPACE": NAMESPACE,
        "KEDA_CLUSTER_OBJECT_NAMESPACE": NAMESPACE,
        "WATCH_NAMESPACE": "",  # all
        "KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES": f"{workers}",
    }
    _register(bed, secure)
    operator = Program(
        "keda-operator",
        [
            builds.locate("keda-operator"),
            *(f"--metrics-service-bind-address={LOOPBACK}:{grpc}", *rate),
            f"--metrics-bind-address={LOOPBACK}:{metrics}",
            f"--health-probe-bind-address={LOOPBACK}:{probe}",
            *(f"--cert-dir={_folder(folder, 'operator', authority, serving)}",),
            *("--zap-log-level=error", "--enable-webhook-patching=false"),
        ],
        log=bed.work / "logs" / "keda-operator.log",
        ready=answers(f"http://{LOOPBACK}:{probe}/readyz"),
        lifeline=lifeline,
        environment=environment,
    )
    adapter = Program(
        "keda-adapter",
        [
            builds.locate("keda-adapter"),
            *(f"--secure-port={secure}", f"--bind-address={LOOPBACK}", f"--port={page}", *rate),
            f"--metrics-service-address={LOOPBACK}:{grpc}",
            f"--cert-dir={_folder(folder, 'adapter', authority, asking)}",
            *(f"--tls-cert-file={serving.public}", f"--tls-private-key-file={serving.key}"),
            f"--lister-kubeconfig={bed.kubeconfig}",
            f"--authentication-kubeconfig={bed.kubeconfig}",
            f"--authorization-kubeconfig={bed.kubeconfig}",
            "--zap-log-level=error",
        ],
        log=bed.work / "logs" / "keda-adapter.log",
        ready=answers(f"https://{LOOPBACK}:{secure}/livez", authority.certificate),
        lifeline=lifeline,
        environment=environment,
    )
    return operator, adapter


def _folder(folder: Path, name: str, authority: Authority, pair: Pair) -> Path:
    """Lay certificates out as KEDA's programs look for them."""
    made = folder / name
    made.mkdir()
    for source, file in (
        (authority.certificate, "ca.crt"),
        (pair.public, "tls.crt"),
        (pair.key, "tls.key"),
    ):
        shutil.copy(source, made / file)
    return made


def _register(bed: Bed, port: int) -> None:
    """Have the API server find the adapter, which runs on this machine, outside the cluster."""
    name = "keda-metrics-apiserver"
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    }
    api = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": _API},
        "spec": {
            "group": "external.metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": name, "namespace": NAMESPACE, "port": port},
        },
    }
    listed = {"apiVersion": "v1", "kind": "List", "items": [service, api]}
    bed.kubectl("apply", "--filename=-", stdin=json.dumps(listed))


def is_served(bed: Bed) -> bool:
    found = json.loads(bed.kubectl("get", "apiservice", _API, "--output=json"))
    conditions = found.get("status", {}).get("conditions", [])
    return any(each["type"] == "Available" and each["status"] == "True" for each in conditions)
