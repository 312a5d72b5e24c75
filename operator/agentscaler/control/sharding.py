"""Shards: operators that act at once each lead a share of the namespaces.

All policies of a namespace are in one shard, so that two of them on one target meet in one process,
which can tell that they do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from agentscaler.act.leases import Lease


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` shares; numbers begin at 0."""

    number: int = 0
    count: int = 1

    def owns(self, namespace: str) -> bool:
        """Tell whether the policies of a namespace are in this shard: the same in every process."""
        digest = blake2b(namespace.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number

    def lease_name(self, base: str) -> str:
        """Name the Lease by which this shard is led, however many there are."""
        return f"{base}-{self.number}" if self.number else base


WHOLE: Final = Shard()
"""The one shard of operators of which one acts at a time."""
MOST: Final = 16
"""So many shards there can be: the rights of the operator name each Lease."""


def shards(count: int) -> tuple[Shard, ...]:
    """Cut the namespaces into so many shards."""
    return tuple(Shard(number, count) for number in range(count))


def of_other_divisions(leases: Mapping[str, Lease], base: str, count: int) -> dict[str, Lease]:
    """Choose the Leases of a release that were last held with another number of shards."""
    names = {shard.lease_name(base) for shard in shards(MOST)}
    return {
        name: lease for name, lease in leases.items() if name in names and lease.shards != count
    }
