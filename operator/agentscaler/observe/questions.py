"""What each policy wants to know, worked out once, beside the event loop.

Reading a query takes milliseconds, and a policy may hold dozens. So it is done on a thread, for so
long at most in one pass, and the namespace that took least of that time is served next: whoever
applies very many long queries waits for them alone. Policies without queries of their own take 0.2
ms each, and are not limited: thousands come at a start, and whom a pass leaves out waits for the
decisions of all others.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from datetime import timedelta
from heapq import heappop, heappush
from math import inf
from typing import Final

from agentscaler.api.policy import Policy
from agentscaler.clock import Clock
from agentscaler.observe import asks
from agentscaler.observe.asks import Wants
from agentscaler.observe.tenancy import Tenancy

logger: Final = logging.getLogger(__name__)


class Questions:
    """The wants of policies, by what their specs say now; `forget` those that are gone."""

    def __init__(self, window: timedelta, tenancy: Tenancy, clock: Clock) -> None:
        self._window = window
        self._tenancy = tenancy
        self._clock = clock
        self._known: dict[str, tuple[Policy, Wants]] = {}
        self._new: dict[str, Policy] = {}
        self._spent: defaultdict[str, float] = defaultdict(float)

    async def of(self, policies: Iterable[Policy], at_most: timedelta | None) -> dict[str, Wants]:
        """Give what these policies want to know, by their keys.

        Queries are read for `at_most` so long. Left out are those whose wants cannot be worked out,
        and those that there was no time for: they come next.
        """
        asked = list(policies)
        new = [policy for policy in asked if self._find(policy) is None]
        if new:
            self._new.update((policy.key, policy) for policy in new)
            limit = inf if at_most is None else at_most.total_seconds()
            self._keep(await asyncio.to_thread(lambda: list(self._work_out(new, limit))))
            self._give_up(new)
        return {policy.key: wants for policy in asked if (wants := self._find(policy)) is not None}

    def forget(self, key: str) -> None:
        """Drop what is kept of a policy that is gone."""
        self._known.pop(key, None)
        self._new.pop(key, None)

    def _find(self, policy: Policy) -> Wants | None:
        known = self._known.get(policy.key)
        return known[1] if known is not None and known[0] is policy else None

    def _keep(self, found: Iterable[tuple[Policy, Wants]]) -> None:
        """Keep what was worked out, but of those that went or changed meanwhile."""
        for policy, wants in found:
            if self._new.get(policy.key) is policy:
                self._known[policy.key] = policy, wants

    def _give_up(self, new: Iterable[Policy]) -> None:
        for policy in new:
            if self._new.get(policy.key) is policy:
                del self._new[policy.key]

    def _work_out(self, policies: Iterable[Policy], limit: float) -> Iterator[tuple[Policy, Wants]]:
        """Work out those without queries, then the others until their time is over, one at least.

        What a namespace took counts in the next passes too, until nothing is left.
        """
        waiting: defaultdict[str, deque[Policy]] = defaultdict(deque)
        for policy in policies:
            if asks.writes_queries(policy.spec):
                waiting[policy.namespace].append(policy)
            elif (wants := self._wants_of(policy)) is not None:
                yield policy, wants
        until = self._clock.monotonic() + limit
        turns = sorted((self._spent[namespace], namespace) for namespace in waiting)
        while turns:
            began = self._clock.monotonic()
            _, namespace = heappop(turns)
            policy = waiting[namespace].popleft()
            wants = self._wants_of(policy)
            if wants is not None:
                yield policy, wants
            ended = self._clock.monotonic()
            self._spent[namespace] += ended - began
            if ended >= until:
                return
            if waiting[namespace]:
                heappush(turns, (self._spent[namespace], namespace))
        self._spent.clear()

    def _wants_of(self, policy: Policy) -> Wants | None:
        try:
            return asks.wants_of(policy, self._window, self._tenancy)
        except Exception:
            logger.exception("questions of %s not worked out", policy.key)
            return None
