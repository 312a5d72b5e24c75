"""Read where a custom kind keeps its counts, so that they can be read from its objects.

Else each of ten thousand objects, and each of their versions, costs one request for its `/scale`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from agentscaler.act.calls import Body
from agentscaler.act.client import Api
from agentscaler.act.places import DEFINITIONS, Kind, Resource
from agentscaler.errors import ForbiddenError, NotFoundError

Path: TypeAlias = tuple[str, ...]
_SIMPLE: Final = re.compile(r"(\.[A-Za-z0-9_-]+)+")


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """The fields of a custom kind that its `/scale` shows; no `selector` where it has none."""

    replicas: Path
    running: Path
    selector: Path = ()


async def scale_paths(api: Api, kind: Kind, resource: Resource) -> ScalePaths | None:
    """Ask the definition of a kind; None where it does not say, or may not be read.

    Raise another ClusterError: without an answer the kind would cost a request for each object.
    """
    group, _, version = kind.api_version.rpartition("/")
    try:
        definition = await api.get(DEFINITIONS.at(name=f"{resource.plural}.{group}"))
    except (ForbiddenError, NotFoundError):
        return None
    for each in definition["spec"]["versions"]:
        if each["name"] == version:
            return _read((each.get("subresources") or {}).get("scale") or {})
    return None


def _read(scale: Body) -> ScalePaths | None:
    replicas, running = scale.get("specReplicasPath", ""), scale.get("statusReplicasPath", "")
    selector = scale.get("labelSelectorPath", "")
    if not all(_SIMPLE.fullmatch(text) for text in (replicas, running, selector or running)):
        return None
    return ScalePaths(_path(replicas), _path(running), _path(selector))


def _path(text: str) -> Path:
    return tuple(text.split(".")[1:])


def value_at(body: Mapping[str, Any], path: Path) -> Any:
    """Give what is at a path; None where there is nothing, or no path."""
    found: Any = body if path else None
    for name in path:
        found = (found or {}).get(name)
    return found
