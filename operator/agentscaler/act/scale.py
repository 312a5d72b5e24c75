"""Read and set the replicas of any kind through its `/scale` subresource.

A count is only ever set on the version that was seen: whoever changed the object in between wins,
and the caller has to look again.
"""

from dataclasses import dataclass

from agentscaler.act import discovery
from agentscaler.act.calls import Body
from agentscaler.act.client import Api
from agentscaler.act.places import PLAIN_KINDS, Kind, Place
from agentscaler.api.policy import ScaleTargetRef


@dataclass(frozen=True, slots=True)
class Scale:
    """The counts of one object at one version: asked for, and running as its controller says."""

    replicas: int
    running: int
    selector: str
    uid: str
    resource_version: str


async def read_scale(api: Api, ref: ScaleTargetRef, namespace: str) -> Scale:
    """Read the present count of the target; NotFoundError, NotScalableError as it may be."""
    return read(await api.get(await _place(api, ref, namespace)))


async def patch_replicas(
    api: Api, ref: ScaleTargetRef, namespace: str, replicas: int, *, version: str
) -> Scale:
    """Set the count of the target at this version; ConflictError if it is at another by now."""
    # Applied where that is possible: Scale leaves out a count of 0, so after a merge patch to 0
    # nobody holds the field in the managed fields, nor after the next one, and foreign writes
    # cannot be told from ours. For custom resources the server (1.37) refuses to apply a Scale.
    write = api.apply if _kind(ref) in PLAIN_KINDS else api.patch
    body = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": ref.name, "resourceVersion": version},
        "spec": {"replicas": replicas},
    }
    return read(await write(await _place(api, ref, namespace), body))


def read(body: Body) -> Scale:
    """Read an answer of a `/scale`."""
    metadata, status = body["metadata"], body.get("status") or {}
    return Scale(
        replicas=(body.get("spec") or {}).get("replicas", 0),
        running=status.get("replicas", 0),
        selector=status.get("selector", ""),
        uid=metadata.get("uid", ""),
        resource_version=metadata["resourceVersion"],
    )


async def _place(api: Api, ref: ScaleTargetRef, namespace: str) -> Place:
    resource = await discovery.scalable(api, _kind(ref))
    return resource.at(namespace, ref.name, "scale")


def _kind(ref: ScaleTargetRef) -> Kind:
    return Kind(ref.api_version, ref.kind)
