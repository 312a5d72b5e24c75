"""Who goes first in a pass. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from agentscaler.control.registry import Entry
from agentscaler.decide import work
from agentscaler.observe.readings import Readings

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def rise(entry: Entry, seen: Mapping[str, Readings]) -> float:
    """Tell how many times its load of before a policy has now: who has most is decided first."""
    before = None if entry.readings is None else work.load(entry.readings.signals)
    now = work.load(seen[entry.key].signals) if entry.key in seen else None
    return 1.0 if before is None or now is None else now / max(1.0, before)


def told_at(entry: Entry) -> datetime:
    """Tell when the status was written, which may never have been: the oldest is told first."""
    return entry.status.last_update_time or _NEVER
