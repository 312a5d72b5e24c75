"""Who looks at metrics in a pass, and who goes first. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias

from agentscaler.api.policy import Mode, Policy
from agentscaler.control.registry import Entry
from agentscaler.decide import work
from agentscaler.observe.readings import Readings

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


Group: TypeAlias = tuple[list[Entry], list[Entry]]
"""Policies that are due, and such that are busy, which all ask the same server."""


def looking(entries: Iterable[Entry]) -> dict[str, Policy]:
    """Give the policies whose metrics are asked for, by their keys: nothing is read in pauses."""
    policies = {each.key: each.policy for each in entries if each.policy is not None}
    return {key: it for key, it in policies.items() if it.spec.mode is not Mode.PAUSED}


def by_server(due: Iterable[Entry], busy: Iterable[Entry]) -> list[Group]:
    """Group both by whom their policies ask, so that nobody waits for another's slow server."""
    found: defaultdict[tuple[str, bool], Group] = defaultdict(lambda: ([], []))
    for place, entries in enumerate((due, busy)):
        for entry in entries:
            found[_server(entry)][place].append(entry)
    return list(found.values())


def _server(entry: Entry) -> tuple[str, bool]:
    """Tell the address, if any, and whether there is a Secret to read before."""
    if entry.policy is None:
        return "", False
    source = entry.policy.spec.prometheus
    return source.server_address or "", source.auth_secret_ref is not None


def rise(entry: Entry, seen: Mapping[str, Readings]) -> float:
    """Tell how many times its load of before a policy has now: who has most is decided first."""
    before = None if entry.readings is None else work.load(entry.readings.signals)
    now = work.load(seen[entry.key].signals) if entry.key in seen else None
    return 1.0 if before is None or now is None else now / max(1.0, before)


def told_at(entry: Entry) -> datetime:
    """Tell when the status was written, which may never have been: the oldest is told first."""
    return entry.status.last_update_time or _NEVER
