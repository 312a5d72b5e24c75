"""What a bed applies to a cluster of real pods: a namespace with a Prometheus and the fleet."""

from pathlib import PurePosixPath
from typing import Any

from tests.bed import prometheus
from tests.bed.images import BED_IMAGE

NAMESPACE = "agentscaler-bed"
FLEET, FLEET_PORT = "fleet", 8000
PROMETHEUS, PROMETHEUS_PORT = "prometheus", 9090
ANYWHERE = "0.0.0.0"  # noqa: S104 - the pod's own network
CONFIGURATION, HISTORY = "prometheus", "history"  # ConfigMaps

Document = dict[str, Any]

_CONFIG_FOLDER = PurePosixPath("/etc/bed")
_DATA = PurePosixPath("/data")


def documents(scrape_interval: str, lookback: str) -> list[Document]:
    """Give all but the history, which is too large for `kubectl apply`."""
    return [
        *_rights(),
        _configuration(scrape_interval),
        *_served(FLEET, FLEET_PORT, "/metrics", _fleet()),
        *_served(PROMETHEUS, PROMETHEUS_PORT, "/-/ready", _prometheus(lookback)),
    ]


def _fleet() -> Document:
    command = ["python", "-m", "tests.bed.fleet", f"--host={ANYWHERE}", f"--port={FLEET_PORT}"]
    return {"serviceAccountName": FLEET, "containers": [_container(FLEET, command)]}


def _prometheus(lookback: str) -> Document:
    arguments = prometheus.arguments(
        PROMETHEUS_PORT, _CONFIG_FOLDER / "prometheus.yaml", _DATA, lookback, ANYWHERE
    )
    fill = f"test ! -e /history/past.om || promtool {_words_of_backfill()}"
    mounts = [
        {"name": "data", "mountPath": str(_DATA)},
        {"name": HISTORY, "mountPath": "/history"},
        {"name": CONFIGURATION, "mountPath": str(_CONFIG_FOLDER)},
    ]
    return {
        # emptyDir: what was scraped ends with the pod, and the history begins anew.
        "initContainers": [_container("history", ["sh", "-c", fill]) | {"volumeMounts": mounts}],
        "containers": [
            _container(PROMETHEUS, ["prometheus", *arguments]) | {"volumeMounts": mounts}
        ],
        "volumes": [
            {"name": "data", "emptyDir": {}},
            {"name": HISTORY, "configMap": {"name": HISTORY, "optional": True}},
            {"name": CONFIGURATION, "configMap": {"name": CONFIGURATION}},
        ],
        "securityContext": {"fsGroup": 65532},
    }


def _words_of_backfill() -> str:
    return " ".join(prometheus.backfill_words(PurePosixPath("/history/past.om"), _DATA))


def _configuration(scrape_interval: str) -> Document:
    scraped = prometheus.target(FLEET, f"{FLEET}:{FLEET_PORT}", "/metrics", {"instance": FLEET})
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIGURATION, "namespace": NAMESPACE},
        "data": {
            "prometheus.yaml": prometheus.configuration(_CONFIG_FOLDER, scrape_interval),
            "fleet.json": scraped,
        },
    }


def _container(name: str, command: list[str]) -> Document:
    # No requests: a cluster of two processors has little left beside its own programs.
    return {"name": name, "image": BED_IMAGE, "command": command}


def _served(name: str, port: int, ready: str, pod: Document) -> list[Document]:
    """Write a Deployment of one pod, and its Service."""
    labels, metadata = {"app": name}, {"name": name, "namespace": NAMESPACE}
    (container,) = pod["containers"]
    container["readinessProbe"] = {"httpGet": {"path": ready, "port": port}, "periodSeconds": 1}
    template = {"metadata": {"labels": labels}, "spec": {**pod, **_apart()}}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": port}]},
        },
    ]


def _apart() -> Document:
    """Keep to the control plane's node where there is a choice: tests freeze the others."""
    role = "node-role.kubernetes.io/control-plane"
    preferred = {"matchExpressions": [{"key": role, "operator": "Exists"}]}
    wish = {"weight": 100, "preference": preferred}
    return {
        "tolerations": [{"key": role, "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}},
    }


def _rights() -> list[Document]:
    """Let the fleet follow the pods."""
    name = f"{NAMESPACE}-{FLEET}"
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]
    account = {"name": FLEET, "namespace": NAMESPACE}
    role = {"apiGroup": rbac, "kind": "ClusterRole", "name": name}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": rules,
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "subjects": [{"kind": "ServiceAccount", **account}],
            "roleRef": role,
        },
    ]
