"""Policies as the API server gives them, and workloads as the watch of targets keeps them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from agentscaler import conventions
from agentscaler.act.managers import Writer
from agentscaler.act.workloads import Target

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def body(
    name: str = "agent",
    *,
    uid: str = "",
    generation: int = 1,
    version: str = "1",
    minutes: int = 0,
    status: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """Give a policy that was made `minutes` after noon, on the Deployment `agent`."""
    made = NOON + minutes * MINUTE
    return {
        "apiVersion": conventions.API_VERSION,
        "kind": conventions.KIND,
        "metadata": {
            "namespace": "agents",
            "name": name,
            "uid": uid or f"uid-{name}",
            "generation": generation,
            "resourceVersion": version,
            "creationTimestamp": made.isoformat().replace("+00:00", "Z"),
        },
        "spec": {"scaleTargetRef": {"name": "agent"}, **spec},
        **({"status": status} if status is not None else {}),
    }


def workload(replicas: int = 2, *, version: str = "7", writer: str = "kubectl-edit") -> Target:
    """Give a workload of which all replicas are ready."""
    return Target(
        replicas=replicas,
        ready=replicas,
        updated=replicas,
        rolling_out=False,
        mixed=False,
        selector="app=agent",
        uid="uid-workload",
        resource_version=version,
        writer=Writer(writer, NOON) if writer else None,
    )
