"""Who looks at metrics in a pass, and who goes first. Pure."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from agentscaler.api.policy import Mode, Policy
from agentscaler.control.parties import Party
from agentscaler.control.registry import Entry
from agentscaler.control.standing import Workable
from agentscaler.decide import work
from agentscaler.observe.readings import Readings
from agentscaler.observe.sources import OWN, Group

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def looking(entries: Iterable[Entry]) -> dict[str, Policy]:
    """Give the policies whose metrics are asked for, by their keys: nothing is read in pauses."""
    policies = {each.key: each.policy for each in entries if each.policy is not None}
    return {key: it for key, it in policies.items() if it.spec.mode is not Mode.PAUSED}


def unchanged(entries: Iterable[Entry], asked: Mapping[str, Policy]) -> list[Entry]:
    """Give those that are still there with the spec that was asked for."""
    return [each for each in entries if not each.gone and each.policy is asked.get(each.key)]


def current(
    active: Iterable[tuple[Entry, Workable]], seen: Container[str]
) -> list[tuple[Entry, Workable]]:
    """Give those that were seen, and are still to be followed as they were."""
    return [
        (entry, workable)
        for entry, workable in active
        if not entry.gone and entry.policy is workable.policy and entry.key in seen
    ]


def by_group(
    due: Iterable[Entry], busy: Iterable[Entry], group: Callable[[Policy], Group]
) -> Mapping[Group, Party]:
    """Divide both by whom their policies ask."""
    found: defaultdict[Group, Party] = defaultdict(lambda: ([], []))
    for place, entries in enumerate((due, busy)):
        for entry in entries:
            found[group(entry.policy) if entry.policy else OWN][place].append(entry)
    return found


def rise(entry: Entry, seen: Mapping[str, Readings]) -> float:
    """Tell how many times its load of before a policy has now: who has most is decided first."""
    before = None if entry.readings is None else work.load(entry.readings.signals)
    now = work.load(seen[entry.key].signals) if entry.key in seen else None
    return 1.0 if before is None or now is None else now / max(1.0, before)


def told_at(entry: Entry) -> datetime:
    """Tell when the status was written, which may never have been: the oldest is told first."""
    return entry.status.last_update_time or _NEVER
