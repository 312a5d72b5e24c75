"""What the fake API server holds: objects by kind, versions, and the log that watches read."""

import asyncio
import copy
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True)
class Served:
    """A collection: `scale` says where spec and status keep the counts, if it can be scaled."""

    api_version: str
    plural: str
    kind: str
    scale: tuple[str, str] | None = None
    namespaced: bool = True


SERVED = (
    Served("v1", "secrets", "Secret"),
    Served("v1", "events", "Event"),
    Served("v1", "pods", "Pod"),
    Served("v1", "namespaces", "Namespace", namespaced=False),
    Served("apps/v1", "deployments", "Deployment", ("replicas", "replicas")),
    Served("apps/v1", "statefulsets", "StatefulSet", ("replicas", "replicas")),
    Served("apps/v1", "controllerrevisions", "ControllerRevision"),
    Served("example.dev/v1", "fleets", "Fleet", ("size", "live")),
    Served("example.dev/v1", "regions", "Region", namespaced=False),
    Served("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    Served("coordination.k8s.io/v1", "leases", "Lease"),
    Served(
        "apiextensions.k8s.io/v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        namespaced=False,
    ),
    Served("agentscaler.dev/v1alpha1", "agentscalingpolicies", "AgentScalingPolicy"),
)
SCALED_OBJECTS = Served("keda.sh/v1alpha1", "scaledobjects", "ScaledObject")


class RefusedError(Exception):
    """An answer that is a Status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Change:
    """One entry of the log."""

    version: int
    plural: str
    kind: str
    body: Body


class Objects:
    """The store: versions and generations grow as on the real server."""

    def __init__(self) -> None:
        self.version = 0
        self.forgotten = 0
        self.log: list[Change] = []
        self.news = asyncio.Event()
        self._by_plural: dict[str, dict[Key, Body]] = {}

    def all(self, plural: str) -> dict[Key, Body]:
        return self._by_plural.setdefault(plural, {})

    def get(self, plural: str, namespace: str, name: str) -> Body:
        """Give an object, or refuse with 404."""
        try:
            return self.all(plural)[namespace, name]
        except KeyError:
            raise RefusedError(404, f'{plural} "{name}" not found') from None

    def put(self, plural: str, body: Body) -> Body:
        """Create or replace an object, as anybody may."""
        key = _key(body)
        before = self.all(plural).get(key)
        body = copy.deepcopy(body)
        metadata = body["metadata"]
        metadata.setdefault("uid", f"uid-{metadata['name']}")
        metadata.setdefault("generation", 1)
        if before is not None:
            is_new = before.get("spec") != body.get("spec")
            metadata["generation"] = before["metadata"]["generation"] + is_new
        self.all(plural)[key] = body
        self._record(plural, "ADDED" if before is None else "MODIFIED", body)
        return body

    def remove(self, plural: str, namespace: str, name: str) -> None:
        """Delete an object, as anybody may."""
        body = copy.deepcopy(self.all(plural).pop((namespace, name)))
        self._record(plural, "DELETED", body)

    def forget(self) -> None:
        """Compact: no watch can go on from a version before now."""
        self.forgotten = self.version = self.version + 1
        self.log.clear()
        self._wake()

    def announce(self, plural: str, kind: str, body: Body) -> None:
        """Put a raw event into the streams of a resource."""
        self.version += 1
        self.log.append(Change(self.version, plural, kind, body))
        self._wake()

    def merge(self, plural: str, key: Key, patch: Body) -> Body:
        """Merge a patch into an object; nothing happens if that changes nothing."""
        present = self.get(plural, *key)
        merged = merged_with(present, patch)
        return present if merged == present else self.put(plural, merged)

    def _record(self, plural: str, kind: str, body: Body) -> None:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.log.append(Change(self.version, plural, kind, body))
        self._wake()

    def _wake(self) -> None:
        self.news.set()
        self.news = asyncio.Event()


def _key(body: Body) -> Key:
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]


def merged_with(present: Any, patch: Any) -> Any:
    """Apply a JSON merge patch."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(present) if isinstance(present, dict) else {}
    for field, value in patch.items():
        if value is None:
            merged.pop(field, None)
        else:
            merged[field] = merged_with(merged.get(field), value)
    return merged


def scale_of(served: Served, body: Body) -> Body:
    """Show an object's counts as its `/scale` does."""
    asked, running = served.scale or ("", "")
    count, status = body["spec"].get(asked, 0), body.get("status") or {}
    metadata = {
        field: body["metadata"][field] for field in ("name", "namespace", "uid", "resourceVersion")
    }
    return {
        "kind": "Scale",
        "metadata": metadata,
        "spec": {"replicas": count} if count else {},  # the real one leaves out a zero, too
        "status": {"replicas": status.get(running, 0), "selector": "app=agent"},
    }
