"""The status as the API server keeps it: how stale it is, written as which patch, and read back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zlib import crc32

from pydantic import ValidationError

from agentscaler.api.status import PolicyStatus
from agentscaler.report import conditions, story

Document = dict[str, Any]

HEARTBEAT: Final = timedelta(minutes=5)
_FIELDS: Final = tuple(PolicyStatus.model_fields)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A status that was read back, and what of it had to be dropped."""

    status: PolicyStatus
    dropped: tuple[str, ...] = ()


def says_the_same(old: PolicyStatus, new: PolicyStatus) -> bool:
    """Tell whether two statuses differ in nothing but the time at which they were taken."""
    return _timeless(old) == _timeless(new)


def is_stale(key: str, written: datetime | None, now: datetime) -> bool:
    """Tell whether a policy's readings were last written before its newest heartbeat.

    The heartbeats of policies are spread over the five minutes by their keys: ten thousand that
    were all written in the same moment must not be again and again.
    """
    if written is None:
        return True
    period = HEARTBEAT.total_seconds()
    shift = crc32(key.encode()) % period
    return (written.timestamp() + shift) // period < (now.timestamp() + shift) // period


def _timeless(status: PolicyStatus) -> PolicyStatus:
    return status.model_copy(update={"last_update_time": None})


def dump(status: PolicyStatus, fields: set[str] | None = None) -> Document:
    """Write a status, or some of its fields, as a document with its story; nothing is empty."""
    document = status.model_dump(by_alias=True, mode="json", exclude_defaults=True, include=fields)
    told = story.tell(status)
    return {**document, "story": list(told)} if told else document


def patch(old: PolicyStatus, new: PolicyStatus) -> Document:
    """Give the JSON merge patch for `status` that turns the old one into the new one."""
    fields = {name for name in _FIELDS if getattr(old, name) != getattr(new, name)}
    return _difference(dump(old, fields), dump(new, fields))


def parse_status(raw: object) -> PolicyStatus:
    """Read a status back; what is damaged or foreign is dropped, never raised."""
    return read(raw).status


def read(raw: object) -> Recorded:
    """Read a status back; what is damaged or foreign is dropped with its reason, never raised."""
    if raw is None:
        return Recorded(PolicyStatus())
    if not isinstance(raw, Mapping):
        return Recorded(PolicyStatus(), (f"status: no object but {type(raw).__name__}",))
    document: Document = {key: value for key, value in raw.items() if key != "story"}
    dropped: list[str] = []
    while True:
        try:
            found = PolicyStatus.model_validate(document, by_name=False)
        except ValidationError as exc:
            document = _without(document, exc, dropped)
        else:
            said = conditions.shared(found.conditions)
            return Recorded(found.model_copy(update={"conditions": said}), tuple(dropped))


def _without(document: Document, damage: ValidationError, dropped: list[str]) -> Document:
    """Leave out the damaged entries of lists, and other damaged fields as a whole.

    Something is left out each time, so that repairing comes to an end.
    """
    left = dict(document)
    entries: dict[str, set[int]] = {}
    for error in damage.errors(include_url=False):
        field, *inner = error["loc"]
        dropped.append(f"status.{'.'.join(str(part) for part in error['loc'])}: {error['msg']}")
        if inner and isinstance(inner[0], int):
            entries.setdefault(str(field), set()).add(inner[0])
        else:
            left.pop(str(field), None)
    for field, places in entries.items():
        left[field] = [item for at, item in enumerate(document[field]) if at not in places]
    return left


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Document:
    changes: Document = dict.fromkeys(old.keys() - new.keys())
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            if inner := _difference(before, value):
                changes[key] = inner
        elif key not in old or before != value:
            changes[key] = value
    return changes
