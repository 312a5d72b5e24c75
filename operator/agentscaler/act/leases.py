"""Read and write the Lease by which replicas of the operator agree who acts.

No election here: who may take a lease, and when, is for `control` to decide. Its connection should
be one of its own (`client.connect` with a short timeout and no `may_write`), so that a renewal
neither queues behind a thousand status patches nor asks itself for permission.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from agentscaler import conventions
from agentscaler.act.calls import Body
from agentscaler.act.client import Api
from agentscaler.act.places import LEASES
from agentscaler.errors import NotFoundError

# Leases keep microseconds, unlike all other times of Kubernetes.
_MICROTIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds it, for how long, since when; no `resource_version` means not yet written.

    `shards` is into how many the holder takes the namespaces to be divided.
    """

    holder: str
    duration_seconds: int
    acquired_at: datetime
    renewed_at: datetime
    transitions: int = 0
    shards: int = 1
    resource_version: str = ""


_NEVER: Final = datetime.fromtimestamp(0, UTC)


async def read_lease(api: Api, namespace: str, name: str) -> Lease | None:
    """Read the lease; None if nobody has ever written it."""
    try:
        return _lease(await api.get(LEASES.at(namespace, name)))
    except NotFoundError:
        return None


async def list_leases(api: Api, namespace: str) -> dict[str, Lease]:
    """Read all leases of a namespace, by name."""
    found = {}
    async for page in api.list_pages(LEASES.at(namespace)):
        for body in page["items"] or ():  # none are null, not empty
            found[body["metadata"]["name"]] = _lease(body)
    return found


async def write_lease(api: Api, namespace: str, name: str, lease: Lease) -> Lease:
    """Create the lease, or replace the version that was read; ConflictError if it is another."""
    labels = {conventions.SHARDS_LABEL: str(lease.shards)}
    metadata: Body = {"namespace": namespace, "name": name, "labels": labels}
    body: Body = {
        "apiVersion": LEASES.api_version,
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": lease.holder,
            "leaseDurationSeconds": lease.duration_seconds,
            "acquireTime": lease.acquired_at.strftime(_MICROTIME),
            "renewTime": lease.renewed_at.strftime(_MICROTIME),
            "leaseTransitions": lease.transitions,
        },
    }
    if not lease.resource_version:
        return _lease(await api.create(LEASES.at(namespace), body))
    metadata["resourceVersion"] = lease.resource_version
    return _lease(await api.update(LEASES.at(namespace, name), body))


def _lease(body: Body) -> Lease:
    """Read a lease; all of its spec is optional, and a lease that somebody made may have none."""
    spec = body.get("spec") or {}
    return Lease(
        holder=spec.get("holderIdentity") or "",
        duration_seconds=spec.get("leaseDurationSeconds") or 0,
        acquired_at=_time(spec.get("acquireTime")),
        renewed_at=_time(spec.get("renewTime")),
        transitions=spec.get("leaseTransitions") or 0,
        shards=_count((body["metadata"].get("labels") or {}).get(conventions.SHARDS_LABEL)),
        resource_version=body["metadata"]["resourceVersion"],
    )


def _count(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 1


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else _NEVER
