"""Who last wrote an object's replica count, as its managed fields tell. Pure.

An update that changes a field takes it from all others who held it, so as a rule one entry holds
the count. An apply of the same value shares it; then the newest entry counts. Two gaps are the API
server's (seen on 1.37): entries written through `/scale` carry no time, and an update of `/scale`
to 0, as `kubectl scale --replicas=0` sends it, leaves nobody holding the count.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeAlias

Entry: TypeAlias = Mapping[str, Any]

_REPLICAS: Final = ("f:spec", "f:replicas")
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class Writer(NamedTuple):
    """A field manager such as "kubectl-edit", and when it last changed a field of its own, if told."""

    manager: str
    at: datetime | None


def last_writer(metadata: Mapping[str, Any]) -> Writer | None:
    """Name the manager who holds the count in `metadata.managedFields`; None if nobody is known."""
    entries: Sequence[Entry] = metadata.get("managedFields") or ()
    path = _path_of_count(entries)
    holders = [_writer(entry) for entry in entries if _holds(entry, path)]
    return max(holders, key=lambda writer: writer.at or _LONG_AGO, default=None)


def _path_of_count(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Find where the kind keeps its count: what was ever written through `/scale` shows it."""
    for entry in entries:
        if entry.get("subresource") == "scale":
            for path in _leaves(entry.get("fieldsV1") or {}, ()):
                if path[0] == "f:spec":
                    return path
    return _REPLICAS


def _leaves(fields: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, below in fields.items():
        if below:
            yield from _leaves(below, (*path, name))
        else:
            yield (*path, name)


def _holds(entry: Entry, path: tuple[str, ...]) -> bool:
    fields: Any = entry.get("fieldsV1") or {}
    for name in path:
        if name not in fields:
            return False
        fields = fields[name]
    return True


def _writer(entry: Entry) -> Writer:
    at = datetime.fromisoformat(entry["time"]) if "time" in entry else None
    return Writer(sys.intern(entry.get("manager", "")), at)
