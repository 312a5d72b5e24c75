"""Routing as it is usually written first: each form has the defect that its test shows."""

from collections.abc import Sequence
from typing import Protocol

from agentscaler.gateway.routing.picking import Request
from tests.unit.gateway.fleets import Seen


class Picks(Protocol):
    """What the forms here and our rules have in common."""

    def pick(
        self, request: Request, candidates: Sequence[Seen], members: Sequence[Seen]
    ) -> Seen: ...


class Modulo:
    """The key's number modulo the number of candidates."""

    def pick(self, request: Request, candidates: Sequence[Seen], members: Sequence[Seen]) -> Seen:
        return candidates[int.from_bytes(request.spread_key[:8], "big") % len(candidates)]


class Table:
    """Each session is noted with the idlest instance at its first request."""

    def __init__(self) -> None:
        self.noted: dict[bytes, str] = {}
        self._turns = 0

    def pick(self, request: Request, candidates: Sequence[Seen], members: Sequence[Seen]) -> Seen:
        if request.spread_key not in self.noted:
            self._turns += 1
            self.noted[request.spread_key] = candidates[self._turns % len(candidates)].name
        return next(each for each in candidates if each.name == self.noted[request.spread_key])


class FixedShards:
    """Shards are given out once; whose owner is gone goes to the first that is there."""

    def __init__(self, members: Sequence[Seen], shards: int) -> None:
        self._owners = [members[shard % len(members)].name for shard in range(shards)]

    def pick(self, request: Request, candidates: Sequence[Seen], members: Sequence[Seen]) -> Seen:
        shard = int.from_bytes(request.spread_key[:8], "big") % len(self._owners)
        owner = self._owners[shard]
        return next((each for each in candidates if each.name == owner), candidates[0])


class ClampedScore:
    """The adaptive sum, at least 0; the first of equals."""

    def pick(self, request: Request, candidates: Sequence[Seen], members: Sequence[Seen]) -> Seen:
        return max(candidates, key=self.score)

    @staticmethod
    def score(backend: Seen) -> float:
        mean_ms = 1000 * (backend.mean_seconds or 0.0)
        plain = 100 * backend.weight - 10 * backend.active - mean_ms / 100
        return max(0.0, plain - 1000 * backend.error_ratio)


class InverseMean:
    """By chance, inverse to the mean; 1 ms where there is none yet."""

    def pick(self, request: Request, candidates: Sequence[Seen], members: Sequence[Seen]) -> Seen:
        shares = [1 / (each.mean_seconds or 0.001) for each in candidates]
        mark = request.draw * sum(shares)
        for each, share in zip(candidates, shares, strict=True):
            mark -= share
            if mark < 0:
                return each
        return candidates[-1]
