"""Which instance this is, and how much it can still take.

In a cluster the downward API says it (`POD_NAME`, `POD_IP`, `POD_NAMESPACE`); elsewhere
`INSTANCE_ID`, `HOST` and `PORT`. Records only; nothing here counts.
"""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_WILDCARDS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, never bound

# Kubernetes draws pod and template suffixes from this alphabet, which spells no words.
_SAFE: Final = "[bcdfghjklmnpqrstvwxz2456789]"
_OWNED_POD: Final = re.compile(rf"^(?P<owner>.+?)(?:-{_SAFE}{{6,10}}-{_SAFE}{{5}}|-\d+)$")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this instance is, for peers (`host`, `port`) and for metrics (the other names)."""

    instance_id: str
    host: str
    port: int
    namespace: str
    agent: str
    pod: str


@dataclass(frozen=True, slots=True)
class InstanceInfo:
    """What one instance can take and has taken, at one moment.

    `load` counts requests being worked on and waiting, so it can exceed `capacity`.
    """

    identity: Identity
    capacity: int
    load: int
    started_at: datetime
    draining: bool = False

    @property
    def load_factor(self) -> float:
        """Load as a ratio of capacity; 1.0 at no capacity."""
        return self.load / self.capacity if self.capacity > 0 else 1.0

    @property
    def available(self) -> int:
        """How many more requests would start at once; never negative."""
        return max(0, self.capacity - self.load)

    def as_dict(self) -> dict[str, Any]:
        """Tell it in JSON's types."""
        return {
            "instance_id": self.identity.instance_id,
            "host": self.identity.host,
            "port": self.identity.port,
            "capacity": self.capacity,
            "load": self.load,
            "load_factor": round(self.load_factor, 4),
            "available": self.available,
            "started_at": self.started_at.isoformat(),
            "draining": self.draining,
        }


def read_identity(environ: Mapping[str, str]) -> Identity:
    """Read who this instance is; explicit names win over what can be derived.

    Raises `ValueError` if `PORT` is no number.
    """
    pod = environ.get("POD_NAME") or environ.get("HOSTNAME") or socket.gethostname()
    host = environ.get("HOST", "")
    if host in _WILDCARDS:
        host = environ.get("POD_IP") or "127.0.0.1"
    return Identity(
        instance_id=environ.get("INSTANCE_ID") or pod,
        host=host,
        port=int(environ.get("PORT") or 8000),
        namespace=environ.get("POD_NAMESPACE") or _mounted_namespace() or "default",
        agent=environ.get("AGENT_NAME") or agent_of_pod(pod),
        pod=pod,
    )


def agent_of_pod(pod: str) -> str:
    """Derive the workload's name from its pod's, for Deployments and StatefulSets."""
    found = _OWNED_POD.match(pod)
    return found["owner"] if found else pod


def _mounted_namespace() -> str:
    try:
        return _NAMESPACE_FILE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
