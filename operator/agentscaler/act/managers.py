"""Who last wrote an object's replica count, as its managed fields tell. Pure.

An update that changes a field takes it from all others who held it, so as a rule one entry holds
the count. An apply of the same value shares it; then the newest entry counts. The API server (1.37)
leaves gaps: entries written through `/scale` carry no time, and an update of `/scale` to 0, such as
`kubectl scale --replicas=0` or any write of ours to a custom resource, leaves nobody holding it.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeAlias

Entry: TypeAlias = Mapping[str, Any]
FieldPath: TypeAlias = tuple[str, ...]

REPLICAS: Final[FieldPath] = ("f:spec", "f:replicas")
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class Writer(NamedTuple):
    """A field manager such as "kubectl-edit", and when it last changed its fields, if told."""

    manager: str
    at: datetime | None


def last_writer(metadata: Mapping[str, Any], path: FieldPath = REPLICAS) -> Writer | None:
    """Name the manager who holds the count at `path`; None if nobody is known."""
    holders = [_writer(entry) for entry in _entries(metadata) if _holds(entry, path)]
    return max(holders, key=lambda writer: writer.at or _LONG_AGO, default=None)


def path_of_count(metadata: Mapping[str, Any]) -> FieldPath | None:
    """Find where the object's kind keeps its count: what was written through `/scale` shows it."""
    for entry in _entries(metadata):
        if entry.get("subresource") == "scale":
            for path in _leaves(entry.get("fieldsV1") or {}, ()):
                if path[0] == "f:spec":
                    return path
    return None


def _entries(metadata: Mapping[str, Any]) -> Sequence[Entry]:
    return metadata.get("managedFields") or ()


def _leaves(fields: Mapping[str, Any], path: FieldPath) -> Iterator[FieldPath]:
    for name, below in fields.items():
        if below:
            yield from _leaves(below, (*path, name))
        else:
            yield (*path, name)


def _holds(entry: Entry, path: FieldPath) -> bool:
    fields: Any = entry.get("fieldsV1") or {}
    for name in path:
        if name not in fields:
            return False
        fields = fields[name]
    return True


def _writer(entry: Entry) -> Writer:
    at = datetime.fromisoformat(entry["time"]) if "time" in entry else None
    return Writer(sys.intern(entry.get("manager", "")), at)
