"""Where things are on the API server: resources, their paths, and their names in RBAC.

Pure: no request is made here. Names come from people's manifests, so every one is quoted.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import quote

from agentscaler import conventions
from agentscaler.errors import NotFoundError


class Kind(NamedTuple):
    """A kind of object as manifests name it: "apps/v1", "Deployment"."""

    api_version: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.api_version})"


class TargetKey(NamedTuple):
    """Which workload is meant, as an autoscaler of its namespace points to it."""

    namespace: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """A path on the API server; `what` names it as RBAC rules do: "deployments/scale"."""

    path: str
    what: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A collection of the API: "apps/v1", "deployments"."""

    api_version: str
    plural: str

    def at(self, namespace: str = "", name: str = "", subresource: str = "") -> Place:
        """Locate an object, or a whole collection; without a namespace that of the cluster."""
        parts = [group_path(self.api_version)]
        if namespace:
            parts += ["namespaces", _segment(namespace)]
        parts.append(_segment(self.plural))
        if name:
            parts.append(_segment(name))
        if subresource:
            parts.append(subresource)
        what = f"{self.plural}/{subresource}" if subresource else self.plural
        return Place("/".join(parts), what)


def group_path(api_version: str) -> str:
    """Locate an API group and version: "apps/v1" is at /apis/apps/v1, "v1" at /api/v1."""
    parts = [_segment(part) for part in api_version.split("/")]
    return "/".join(["", "apis" if len(parts) > 1 else "api", *parts])


def _segment(text: str) -> str:
    # URL libraries resolve "." and ".." even when quoted: a name must not climb out of its place.
    if text in {"", ".", ".."}:
        raise NotFoundError(f"nothing on the API server can be named {text!r}")
    return quote(text, safe="")


# The API server's own kinds that have a scale: their counts are at `spec.replicas` and
# `status.readyReplicas`. Of any other kind only the `/scale` subresource knows where.
PLAIN_KINDS: Final = frozenset(
    {
        Kind("apps/v1", "Deployment"),
        Kind("apps/v1", "StatefulSet"),
        Kind("apps/v1", "ReplicaSet"),
        Kind("v1", "ReplicationController"),
    }
)
POLICIES: Final = Resource(conventions.API_VERSION, conventions.PLURAL)
LEASES: Final = Resource("coordination.k8s.io/v1", "leases")
EVENTS: Final = Resource("v1", "events")
PODS: Final = Resource("v1", "pods")
SECRETS: Final = Resource("v1", "secrets")
AUTOSCALERS: Final = Resource("autoscaling/v2", "horizontalpodautoscalers")
DEFINITIONS: Final = Resource("apiextensions.k8s.io/v1", "customresourcedefinitions")
SCALED_OBJECTS: Final = Resource("keda.sh/v1alpha1", "scaledobjects")
