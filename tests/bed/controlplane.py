"""The arguments of the control plane's programs.

Only what differs from the defaults, each with its reason where it is not plain.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.bed.certificates import Pair
from tests.bed.ports import LOOPBACK

SERVICE_RANGE = "10.96.0.0/16"

# The defaults (20 to 50 requests a second) would make a fleet of 1,000 pods wait for the client.
CLIENT_RATE = ("--kube-api-qps=500", "--kube-api-burst=1000")


@dataclass(frozen=True)
class Credentials:
    """Every file the programs identify themselves and others by."""

    authority: Path
    serving: Pair
    service_accounts: Pair
    front_proxy_authority: Path
    front_proxy: Pair


def etcd(data: Path, client_port: int, peer_port: int) -> list[str]:
    """Store nothing for longer than the bed lives, hence without fsync."""
    client, peer = f"http://{LOOPBACK}:{client_port}", f"http://{LOOPBACK}:{peer_port}"
    return [
        f"--data-dir={data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(port: int, etcd_port: int, credentials: Credentials) -> list[str]:
    """Serve on loopback only, with RBAC, and ready for aggregated APIs."""
    return [
        f"--etcd-servers=http://{LOOPBACK}:{etcd_port}",
        f"--bind-address={LOOPBACK}",
        f"--advertise-address={LOOPBACK}",
        f"--secure-port={port}",
        "--endpoint-reconciler-type=none",  # it refuses loopback addresses
        f"--tls-cert-file={credentials.serving.public}",
        f"--tls-private-key-file={credentials.serving.key}",
        f"--client-ca-file={credentials.authority}",
        f"--service-account-key-file={credentials.service_accounts.public}",
        f"--service-account-signing-key-file={credentials.service_accounts.key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        *_aggregation(credentials),
    ]


def controller_manager(port: int, kubeconfig: Path, credentials: Credentials) -> list[str]:
    """Run every controller, the HPA's among them, each with its own service account."""
    return [
        *_component(port, kubeconfig, credentials),
        "--use-service-account-credentials",
        f"--service-account-private-key-file={credentials.service_accounts.key}",
        f"--root-ca-file={credentials.authority}",
        *CLIENT_RATE,
    ]


def scheduler(port: int, kubeconfig: Path, credentials: Credentials) -> list[str]:
    """Bind pods to the simulated nodes."""
    return [*_component(port, kubeconfig, credentials), *CLIENT_RATE]


def kwok(port: int, kubeconfig: Path, stages: Path) -> list[str]:
    """Play every kubelet."""
    return [
        f"--kubeconfig={kubeconfig}",
        f"--config={stages}",
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40",
        f"--server-address={LOOPBACK}:{port}",
    ]


def _component(port: int, kubeconfig: Path, credentials: Credentials) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--tls-cert-file={credentials.serving.public}",
        f"--tls-private-key-file={credentials.serving.key}",
        "--leader-elect=false",
    ]


def _aggregation(credentials: Credentials) -> list[str]:
    return [
        f"--requestheader-client-ca-file={credentials.front_proxy_authority}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={credentials.front_proxy.public}",
        f"--proxy-client-key-file={credentials.front_proxy.key}",
    ]
