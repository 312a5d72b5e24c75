"""Read and set the replicas of any kind through its `/scale` subresource.

A count is only ever set on the version that was read: whoever changed the object in between wins,
and the caller has to look again.
"""

from dataclasses import dataclass

from agentscaler.act import discovery
from agentscaler.act.calls import Body
from agentscaler.act.client import Api
from agentscaler.act.places import Kind, Place
from agentscaler.api.policy import ScaleTargetRef


@dataclass(frozen=True, slots=True)
class Scale:
    """The counts of one object at one version: asked for, and running as its controller says."""

    place: Place
    name: str
    replicas: int
    running: int
    selector: str
    uid: str
    resource_version: str


async def read_scale(api: Api, ref: ScaleTargetRef, namespace: str) -> Scale:
    """Read the present count of the target; NotFoundError, NotScalableError as it may be."""
    resource = await discovery.scalable(api, Kind(ref.api_version, ref.kind))
    return await read_at(api, resource.at(namespace, ref.name, "scale"))


async def read_at(api: Api, place: Place) -> Scale:
    """Read the scale at `place`, which ends in "/scale"."""
    return _scale(place, await api.get(place))


async def patch_replicas(api: Api, scale: Scale, replicas: int) -> Scale:
    """Set the count; ConflictError if the object changed since `scale` was read."""
    # Applied, not merged: Scale leaves out a count of 0, so after a merge patch to 0 nobody holds
    # the field in the managed fields, nor after the next one, and foreign writes cannot be told
    # from ours (seen on Kubernetes 1.37). For the same reason no JSON patch could test the old 0.
    body = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": scale.name, "resourceVersion": scale.resource_version},
        "spec": {"replicas": replicas},
    }
    return _scale(scale.place, await api.apply(scale.place, body))


def _scale(place: Place, body: Body) -> Scale:
    metadata, status = body["metadata"], body.get("status") or {}
    return Scale(
        place=place,
        name=metadata["name"],
        replicas=(body.get("spec") or {}).get("replicas", 0),
        running=status.get("replicas", 0),
        selector=status.get("selector", ""),
        uid=metadata.get("uid", ""),
        resource_version=metadata["resourceVersion"],
    )
