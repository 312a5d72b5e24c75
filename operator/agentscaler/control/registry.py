"""All policies that the cluster knows, as the watch last told: the input of every pass.

Nothing here talks to anybody. A policy that cannot be followed stays registered with its problems,
so that it is reported and disturbs no other.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile
from math import isfinite
from typing import Any, Final

from agentscaler import conventions
from agentscaler.act.places import Kind, TargetKey
from agentscaler.act.workloads import NONE_OUTDATED, Outdated
from agentscaler.api.policy import Policy, parse_policy
from agentscaler.api.status import BottleneckStatus, PolicyStatus, ScalingEvent
from agentscaler.decide import reserve
from agentscaler.decide.decision import Direction, Memory
from agentscaler.decide.leadtime import LeadTime
from agentscaler.decide.limits import Learned
from agentscaler.decide.shadow import Shadow
from agentscaler.errors import InvalidPolicyError
from agentscaler.observe.readings import Readings
from agentscaler.quantities import parse_duration, parse_quantity
from agentscaler.report import candidates, history, limits
from agentscaler.report import status as statuses
from agentscaler.report.troubles import Trouble

# A count that is seen so late has come of something else.
_UNHEARD: Final = timedelta(minutes=2)


@dataclass(slots=True)
class Entry:
    """One policy: what the user wrote, what is recorded, what is remembered.

    `replicas` is the count that the target was last seen or set to, and `outdated` are versions
    of the target that do not know of our own last change. `contest` is somebody
    else's last write of the count, told until `contested_until`. `draining` names the pods that
    were chosen to go, and `woken` is when the gateway last asked for the first replica. `readings`
    are the newest that a pass saw, None while it looks for none; `bottleneck` was made of them,
    and `lacked` are those in which the last look found too few replicas.
    `otherwise` counts the decisions in a row whose reason is not the one on record.
    After a write that is `doubtful`, for its answer was lost, `stored` is what was read back; None
    while `status` is what is on record. `foreign` is the newest scaling of the target before.
    `gone` is one that was deleted, or is another's to follow.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime
    resource_version: str
    policy: Policy | None = None
    problems: tuple[str, ...] = ()
    status: PolicyStatus = field(default_factory=PolicyStatus)
    memory: Memory = field(default_factory=Memory)
    lead_time: LeadTime = field(default_factory=LeadTime)
    replicas: int | None = None
    outdated: Outdated = NONE_OUTDATED
    contest: Trouble | None = None
    contested_until: datetime | None = None
    draining: tuple[str, ...] = ()
    woken: datetime | None = None
    shadow: Shadow | None = None
    readings: Readings | None = None
    bottleneck: BottleneckStatus | None = None
    lacked: Readings | None = None
    otherwise: int = 0
    stored: PolicyStatus | None = None
    doubtful: bool = False
    foreign: str = ""
    gone: bool = False

    @property
    def key(self) -> str:
        """Name the policy: "namespace/name"."""
        return sys.intern(f"{self.namespace}/{self.name}")  # many maps know it

    @property
    def target(self) -> TargetKey | None:
        """Tell which workload is meant; None while the spec cannot be followed."""
        return None if self.policy is None else target_of(self.policy)

    def recall(self, recorded: PolicyStatus) -> None:
        """Take up what is recorded: enough that cooldowns and counts outlive a restart."""
        self.status, self.stored, self.doubtful = recorded, None, False
        self.memory = Memory(
            last_up=recorded.last_scale_up_time,
            last_down=recorded.last_scale_down_time,
            slots_per_replica=_amount(recorded.slots_per_replica),
            reserve=_reserve(recorded.reserve),
            limits=limits.recalled(recorded.limits, recorded.current_replicas),
        )
        self.lead_time = LeadTime(recorded=_span(recorded.lead_time))
        self.replicas = recorded.current_replicas
        self.draining = recorded.draining
        self.shadow = candidates.recall(recorded)
        self.bottleneck = recorded.bottleneck

    def hear(self, current: int, now: datetime, *, ours: bool) -> ScalingEvent | None:
        """Give the scaling that is found to have been carried out, if one is; its cooldown runs.

        `ours` says that nobody else wrote the count that is there now.
        """
        past = takewhile(lambda each: each.id != self.foreign, self.status.history)
        patience = max(_UNHEARD, 4 * self.policy.spec.polling_interval) if self.policy else _UNHEARD
        event = history.landed(past, current, now, ours=ours, patience=patience)
        if event is None:
            return None
        at = event.time + timedelta(seconds=1)  # recorded times are cut: no cooldown may end early
        if history.direction_of(event) is Direction.UP:
            self.memory = replace(self.memory, last_up=at)
        else:
            self.memory = replace(self.memory, last_down=at)
        return event

    def turn_to_another_target(self) -> None:
        """Forget what was learned of the target before, but not what it has cost."""
        self.memory = Memory(limits=Learned(spend=self.memory.limits.spend))
        self.lead_time, self.shadow = LeadTime(), None
        self.foreign = self.status.history[0].id if self.status.history else ""
        self.replicas, self.outdated = None, NONE_OUTDATED
        self.contest = self.contested_until = None
        self.unsee()

    def unsee(self) -> None:
        """Forget what was seen of a workload that is not followed now."""
        self.readings = self.bottleneck = self.lacked = None


class Registry:
    """The policies by key, and who is on which target."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._by_target: defaultdict[TargetKey, set[str]] = defaultdict(set)
        self._kinds: Counter[Kind] = Counter()
        self._leads = False
        self._owns: Callable[[str], bool] = lambda _: True

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values()))

    def find(self, key: str) -> Entry | None:
        """Give a policy by its key."""
        return self._entries.get(key)

    def note(self, change: str | None, body: Mapping[str, Any]) -> set[str]:
        """Take in what a watch says; give the keys of the policies to look at again.

        `change` is ADDED, MODIFIED or DELETED, or None for an object of the first list. Changes
        that leave the spec alone, such as the operator's own status, lead to nothing; but a wake
        does. Until we lead, the status is another's, and taken up each time.
        """
        metadata = body["metadata"]
        if not self._owns(metadata["namespace"]):
            return set()
        key = f"{metadata['namespace']}/{metadata['name']}"
        known = self._entries.get(key)
        if change == "DELETED" or metadata.get("deletionTimestamp"):
            return self.drop(key) if known and known.uid == metadata["uid"] else set()
        if known and known.uid == metadata["uid"]:
            known.resource_version = metadata["resourceVersion"]
            if not self._leads:
                known.recall(statuses.parse_status(body.get("status")))
            slept, known.woken = known.woken, _wake_time(metadata)
            if known.generation == metadata.get("generation", 0):
                return set() if known.woken in {slept, None} else {key}
            return self._rewrite(known, body)
        stood_aside = self.drop(key)
        return stood_aside | self._add(body)

    def confine(self, owns: Callable[[str], bool]) -> None:
        """Follow from now on only the policies of the namespaces that `owns` names."""
        self._owns = owns
        for entry in self:
            if not owns(entry.namespace):
                self.drop(entry.key)

    def owns(self, namespace: str) -> bool:
        """Tell whether the policies of a namespace are followed here."""
        return self._owns(namespace)

    def begin_to_lead(self) -> None:
        """Take up no more of what is recorded: from now on the records are our own."""
        self._leads = True

    def drop(self, key: str) -> set[str]:
        """Forget a policy; give those that it stood in the way of."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return set()
        entry.gone = True
        return self._unlink(entry)

    def owner(self, entry: Entry) -> Entry:
        """Give the policy that may act on the entry's target: the oldest on it."""
        if entry.target is None:
            return entry
        rivals = self.on_target(entry.target)
        if len(rivals) == 1 and rivals[0] is entry:
            return entry
        same = [rival for rival in rivals if _group(rival) == _group(entry)]
        # An entry that was dropped in the middle of a pass may be on no target any more.
        return min(same, key=lambda rival: (rival.created, rival.key), default=entry)

    def on_target(self, target: TargetKey) -> list[Entry]:
        """Give the policies on a workload."""
        return [self._entries[key] for key in self._by_target.get(target, ())]

    def kinds(self) -> set[Kind]:
        """Give the kinds of all targets."""
        return set(self._kinds)

    def _add(self, body: Mapping[str, Any]) -> set[str]:
        metadata = body["metadata"]
        entry = Entry(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            generation=metadata.get("generation", 0),
            created=datetime.fromisoformat(metadata["creationTimestamp"]),
            resource_version=metadata["resourceVersion"],
            woken=_wake_time(metadata),
        )
        entry.recall(statuses.parse_status(body.get("status")))
        self._entries[entry.key] = entry
        return self._rewrite(entry, body)

    def _rewrite(self, entry: Entry, body: Mapping[str, Any]) -> set[str]:
        """Read the spec anew; what is recorded and remembered stays, if the target does."""
        concerned, target, before = self._unlink(entry), entry.target, entry.policy
        entry.generation = body["metadata"].get("generation", 0)
        try:
            entry.policy, entry.problems = parse_policy(body), ()
        except InvalidPolicyError as exc:
            entry.policy, entry.problems = None, exc.problems
        if before and entry.policy and before.spec.candidate != entry.policy.spec.candidate:
            entry.shadow = None
        if target is not None and entry.target not in {None, target}:
            entry.turn_to_another_target()
        return concerned | self._link(entry) | {entry.key}

    def _link(self, entry: Entry) -> set[str]:
        if entry.policy is None or entry.target is None:
            return set()
        self._kinds[_kind(entry.policy)] += 1
        sharing = self._by_target[entry.target]
        others = set(sharing)
        sharing.add(entry.key)
        return others

    def _unlink(self, entry: Entry) -> set[str]:
        if entry.policy is None or entry.target is None:
            return set()
        kind = _kind(entry.policy)
        self._kinds[kind] -= 1
        if not self._kinds[kind]:
            del self._kinds[kind]
        sharing = self._by_target[entry.target]
        sharing.discard(entry.key)
        if not sharing:
            del self._by_target[entry.target]
        return set(sharing)


def target_of(policy: Policy) -> TargetKey:
    """Tell which workload a policy means."""
    ref = policy.spec.scale_target_ref
    return TargetKey(policy.namespace, ref.kind, ref.name)


def _kind(policy: Policy) -> Kind:
    ref = policy.spec.scale_target_ref
    return Kind(ref.api_version, ref.kind)


def _group(entry: Entry) -> str:
    """Give the API group of the target; its version does not make another workload."""
    ref = entry.policy and entry.policy.spec.scale_target_ref
    return ref.api_version.rpartition("/")[0] if ref else ""


def _wake_time(metadata: Mapping[str, Any]) -> datetime | None:
    """Read when the gateway asked for the first replica; who may annotate may write nonsense."""
    text = (metadata.get("annotations") or {}).get(conventions.WAKE_ANNOTATION, "")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else None


def _span(text: str) -> timedelta | None:
    """Read a recorded time span; anybody who may write a status may have damaged it."""
    try:
        return parse_duration(text) or None
    except ValueError:
        return None


def _amount(text: str) -> float | None:
    """Read a recorded amount above zero; see `_span`."""
    try:
        return parse_quantity(text) or None
    except ValueError:
        return None


def _reserve(text: str) -> float | None:
    """Read a recorded reserve, within what one can be; see `_span`."""
    try:
        found = float(text)
    except ValueError:
        return None
    return min(max(found, reserve.LEAST), reserve.MOST) if isfinite(found) else None
