"""All policies that the cluster knows, as the watch last told: the input of every pass.

Nothing here talks to anybody. A policy that cannot be followed stays registered with its problems,
so that it is reported and disturbs no other.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agentscaler.api.policy import Policy, ScaleTargetRef, parse_policy
from agentscaler.api.status import PolicyStatus
from agentscaler.decide.decision import Memory
from agentscaler.errors import InvalidPolicyError
from agentscaler.report import status as statuses

TargetKey = tuple[str, str, str, str]
"""Namespace, apiVersion, kind and name of a target."""


@dataclass(slots=True)
class Entry:
    """One policy: what the user wrote, what is recorded, what is remembered."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime
    resource_version: str
    policy: Policy | None = None
    problems: tuple[str, ...] = ()
    target: TargetKey | None = None
    status: PolicyStatus = field(default_factory=PolicyStatus)
    memory: Memory = field(default_factory=Memory)

    @property
    def key(self) -> str:
        """Name the policy: "namespace/name"."""
        return f"{self.namespace}/{self.name}"


class Registry:
    """The policies by key, and who was first on each target."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._by_target: dict[TargetKey, set[str]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def find(self, key: str) -> Entry | None:
        """Give a policy by its key."""
        return self._entries.get(key)

    def note(self, change: str | None, body: Mapping[str, Any]) -> set[str]:
        """Take in what a watch says; give the keys of the policies to look at again.

        `change` is ADDED, MODIFIED or DELETED, or None for an object of the first list. Changes
        that leave the spec alone, such as the operator's own status, lead to nothing.
        """
        metadata = body["metadata"]
        key = f"{metadata['namespace']}/{metadata['name']}"
        known = self._entries.get(key)
        if change == "DELETED" or metadata.get("deletionTimestamp"):
            return self.drop(key) if known and known.uid == metadata["uid"] else set()
        if known and known.uid == metadata["uid"]:
            known.resource_version = metadata["resourceVersion"]
            if known.generation == metadata.get("generation", 0):
                return set()
            return self._rewrite(known, body)
        if known:
            self.drop(key)
        return self._add(body)

    def drop(self, key: str) -> set[str]:
        """Forget a policy; give those that it stood in the way of."""
        entry = self._entries.pop(key, None)
        return set() if entry is None else self._unlink(entry)

    def owner(self, entry: Entry) -> Entry:
        """Give the policy that may act on the entry's target: the oldest on it."""
        if entry.target is None:
            return entry
        rivals = (self._entries[key] for key in self._by_target[entry.target])
        return min(rivals, key=lambda rival: (rival.created, rival.key))

    def kinds(self) -> set[tuple[str, str]]:
        """Give the apiVersion and kind of all targets."""
        return {(api_version, kind) for _, api_version, kind, _ in self._by_target}

    def _add(self, body: Mapping[str, Any]) -> set[str]:
        metadata = body["metadata"]
        recorded = statuses.parse_status(body.get("status"))
        entry = Entry(
            namespace=metadata["namespace"],
            name=metadata["name"],
            uid=metadata["uid"],
            generation=metadata.get("generation", 0),
            created=datetime.fromisoformat(metadata["creationTimestamp"]),
            resource_version=metadata["resourceVersion"],
            status=recorded,
            memory=recall(recorded),
        )
        self._entries[entry.key] = entry
        return self._rewrite(entry, body)

    def _rewrite(self, entry: Entry, body: Mapping[str, Any]) -> set[str]:
        """Read the spec anew; what is recorded and remembered stays."""
        concerned = self._unlink(entry)
        entry.generation = body["metadata"].get("generation", 0)
        entry.resource_version = body["metadata"]["resourceVersion"]
        try:
            entry.policy, entry.problems = parse_policy(body), ()
        except InvalidPolicyError as exc:
            entry.policy, entry.problems = None, exc.problems
        else:
            concerned |= self._link(entry, entry.policy.spec.scale_target_ref)
        return concerned | {entry.key}

    def _link(self, entry: Entry, ref: ScaleTargetRef) -> set[str]:
        entry.target = (entry.namespace, ref.api_version, ref.kind, ref.name)
        sharing = self._by_target.setdefault(entry.target, set())
        others = set(sharing)
        sharing.add(entry.key)
        return others

    def _unlink(self, entry: Entry) -> set[str]:
        if entry.target is None:
            return set()
        sharing = self._by_target[entry.target]
        sharing.discard(entry.key)
        if not sharing:
            del self._by_target[entry.target]
        entry.target = None
        return set(sharing)


def recall(recorded: PolicyStatus) -> Memory:
    """Give the memory that a recorded status holds: enough that cooldowns outlive a restart."""
    return Memory(
        last_up=recorded.last_scale_up_time,
        last_down=recorded.last_scale_down_time,
        slots_per_replica=float(recorded.slots_per_replica) if recorded.slots_per_replica else None,
    )
