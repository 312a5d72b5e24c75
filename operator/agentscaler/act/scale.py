"""Read and set the replicas of any kind through its `/scale` subresource.

A count is only ever set on the version that was read: whoever changed the object in between wins,
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
    """The counts of one object at one version: asked for, and running as its controller says.

    `plain` is true for the kinds of the API server itself, false for custom resources.
    """

    place: Place
    name: str
    replicas: int
    running: int
    selector: str
    uid: str
    resource_version: str
    plain: bool


async def read_scale(api: Api, ref: ScaleTargetRef, namespace: str) -> Scale:
    """Read the present count of the target; NotFoundError, NotScalableError as it may be."""
    kind = Kind(ref.api_version, ref.kind)
    resource = await discovery.scalable(api, kind)
    place = resource.at(namespace, ref.name, "scale")
    return read(place, await api.get(place), plain=kind in PLAIN_KINDS)


async def patch_replicas(api: Api, scale: Scale, replicas: int) -> Scale:
    """Set the count; ConflictError if the object changed since `scale` was read."""
    # Applied where that is possible: Scale leaves out a count of 0, so after a merge patch to 0
    # nobody holds the field in the managed fields, nor after the next one, and foreign writes
    # cannot be told from ours. For custom resources the server (1.37) refuses to apply a Scale.
    write = api.apply if scale.plain else api.patch
    body = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": scale.name, "resourceVersion": scale.resource_version},
        "spec": {"replicas": replicas},
    }
    return read(scale.place, await write(scale.place, body), plain=scale.plain)


def read(place: Place, body: Body, *, plain: bool) -> Scale:
    """Read an answer of the `/scale` at `place`."""
    metadata, status = body["metadata"], body.get("status") or {}
    return Scale(
        place=place,
        name=metadata["name"],
        replicas=(body.get("spec") or {}).get("replicas", 0),
        running=status.get("replicas", 0),
        selector=status.get("selector", ""),
        uid=metadata.get("uid", ""),
        resource_version=metadata["resourceVersion"],
        plain=plain,
    )
