"""The instances of one agent: who is there, what they carry, how they fare, and who takes the next.

Counts change only between two awaits of one event loop, so there are no locks.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from math import ceil, inf
from types import TracebackType
from typing import Final, Self

from agentscaler.clock import Clock
from agentscaler.gateway.ejection import Ejection
from agentscaler.gateway.routing.estimates import Fleet
from agentscaler.gateway.routing.picking import Request, Rule
from agentscaler.gateway.windows import ResponseWindow

logger = logging.getLogger(__name__)

# After a refused connection: a starting process needs about a second, a dead one stays dead.
FIRST_PAUSE_SECONDS: Final = 0.2
MAX_PAUSE_SECONDS: Final = 5.0

# After the word of an instance that it is leaving: the runtime kit is gone after 25 s at most.
LEAVING_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where discovery says an instance listens."""

    address: str
    weight: float = 1.0

    @property
    def url(self) -> str:
        return f"http://{self.address}"


class Backend:
    """One instance, as the routing rules see it and more."""

    def __init__(self, endpoint: Endpoint, capacity: int | None, joined_at: float) -> None:
        self.name = endpoint.address
        self.url = endpoint.url
        self.weight = endpoint.weight
        self.capacity = capacity
        self.joined_at = joined_at
        self.active = 0
        self.total = 0
        self.passes_checks = True
        self.draining = False
        self.errors_in_a_row = 0
        self.ejections = 0
        self.refusals = 0
        self.out_until = -inf
        self.is_ejected = False
        self.window = ResponseWindow()

    @property
    def free(self) -> float:
        """Slots left; infinite where no capacity is known."""
        return inf if self.capacity is None else max(0, self.capacity - self.active)

    @property
    def responses(self) -> int:
        return len(self.window)

    @property
    def mean_seconds(self) -> float | None:
        return self.window.mean_seconds

    @property
    def error_ratio(self) -> float:
        return self.window.error_ratio

    def is_healthy(self, now: float) -> bool:
        """Tell whether it may get requests at all."""
        return self.passes_checks and not self.draining and now >= self.out_until


class Lease:
    """One request's place at a backend; comes back exactly once, however the request ends."""

    def __init__(self, pool: "Pool", backend: Backend) -> None:
        self.backend = backend
        self._pool: Pool | None = pool
        backend.active += 1
        backend.total += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the place back."""
        if self._pool is not None:
            self.backend.active -= 1
            pool, self._pool = self._pool, None
            pool.note_room(self.backend)


class Pool:
    """All instances of one agent; `on_room` is called whenever somebody may take a request."""

    def __init__(
        self,
        rule: Rule,
        clock: Clock,
        *,
        capacity: int | None = None,
        ejection: Ejection | None = None,
        slow_start_seconds: float = 30.0,
    ) -> None:
        self.rule = rule
        self.clock = clock
        self.on_room: Callable[[], None] = lambda: None
        self._capacity = capacity
        self._ejection = ejection or Ejection()
        self._slow_start_seconds = slow_start_seconds
        self._backends: dict[str, Backend] = {}
        self._has_served = False
        self.is_told = False

    @property
    def backends(self) -> Collection[Backend]:
        """All that are there, those that still finish work after their removal included."""
        return self._backends.values()

    @property
    def is_at_zero(self) -> bool:
        """Tell whether discovery has said that nobody is there."""
        return self.is_told and all(each.draining for each in self._backends.values())

    @property
    def fleet(self) -> Fleet:
        return Fleet.of(self._backends.values())

    def update(self, endpoints: Iterable[Endpoint]) -> None:
        """Take in what discovery says: newcomers join, the missing finish their work and go."""
        now = self.clock.monotonic()
        self.is_told = True
        there = {endpoint.address: endpoint for endpoint in endpoints}
        for address, endpoint in there.items():
            known = self._backends.get(address)
            if known is None or known.draining:
                self._join(endpoint, known, now)
            else:
                known.weight = endpoint.weight
        for backend in list(self._backends.values()):
            if backend.name not in there:
                backend.draining = True
                self._forget_if_done(backend)
        self.on_room()

    def try_take(self, request: Request) -> Lease | None:
        """Choose a backend and lease it; None if nobody has room."""
        now = self.clock.monotonic()
        for each in self._backends.values():
            self._refresh(each, now)
        members = [each for each in self._backends.values() if each.is_healthy(now)]
        roomy = [each for each in members if each.free > 0]
        if not roomy:
            return None
        # A newcomer that is at its ramp's limit still helps when everybody else is full.
        candidates = [
            each for each in roomy if not self._has_its_share(each, members, now)
        ] or roomy
        return Lease(self, self.rule.pick(request, candidates, members))

    def record(self, backend: Backend, seconds: float, *, failed: bool) -> None:
        """Take in how a request fared; eject whoever fails too often."""
        now = self.clock.monotonic()
        self._has_served = True
        backend.refusals = backend.refusals if failed else 0
        backend.window.add(now, seconds, failed=failed)
        backend.errors_in_a_row = backend.errors_in_a_row + 1 if failed else 0
        if failed and now >= backend.out_until:
            self._eject_if_due(backend, now)

    def pause(self, backend: Backend) -> None:
        """Leave out, for a moment, one that refused the connection; longer each time."""
        if self.clock.monotonic() < backend.out_until:
            return  # many found out at the same time: that makes it no worse
        seconds = min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(backend.refusals, 10))
        if not backend.refusals:
            logger.warning("%s refuses connections and is left out", backend.name)
        backend.refusals += 1
        self._leave_out(backend, seconds)

    def set_capacity(self, backend: Backend, capacity: int) -> None:
        """Believe what the instance reports, unless the configuration says a capacity.

        One that reports none is leaving, and gets nothing more where somebody else is well.
        """
        now = self.clock.monotonic()
        if capacity == 0:
            if any(each.is_healthy(now) for each in self.backends if each is not backend):
                self._leave_out(backend, LEAVING_SECONDS)
        elif self._capacity is None and backend.capacity != capacity:
            backend.capacity = capacity
            self.on_room()

    def set_checked(self, backend: Backend, *, passes: bool) -> None:
        """Take in the result of the active checks."""
        if passes and not backend.passes_checks:
            backend.joined_at = self.clock.monotonic()
        if passes and not backend.is_ejected:
            backend.refusals, backend.out_until = 0, -inf
        backend.passes_checks = passes
        self.on_room()

    def note_room(self, backend: Backend) -> None:
        """React to a lease that came back."""
        self._forget_if_done(backend)
        self.on_room()

    def _join(self, endpoint: Endpoint, known: Backend | None, now: float) -> None:
        # The first instances of all share evenly as they are: there is nothing to ramp up from.
        joined_at = now if self._has_served else -inf
        if known is None:
            self._backends[endpoint.address] = Backend(endpoint, self._capacity, joined_at)
        else:  # it went and came back: its old requests are still there
            known.draining = False
            known.joined_at = joined_at

    def _has_its_share(self, backend: Backend, members: list[Backend], now: float) -> bool:
        """Tell whether a newcomer carries its share already, which grows with its age."""
        age = now - backend.joined_at
        if age >= self._slow_start_seconds or len(members) == 1:
            return False
        others = sum(each.active for each in members) - backend.active
        fair = others / (len(members) - 1) + 1
        return backend.active >= max(1, ceil(fair * age / self._slow_start_seconds))

    def _eject_if_due(self, backend: Backend, now: float) -> None:
        others = Fleet.of(each for each in self._backends.values() if each is not backend)
        if not self._ejection.is_due(
            errors_in_a_row=backend.errors_in_a_row,
            responses=backend.responses,
            error_ratio=backend.error_ratio,
            others_ratio=others.error_ratio,
        ):
            return
        ejected = sum(each.is_ejected for each in self._backends.values())
        if self._ejection.may_go(ejected, len(self._backends)):
            backend.ejections += 1
            backend.is_ejected = True
            seconds = self._ejection.seconds(backend.ejections)
            logger.warning("%s fails too often and is left out for %g s", backend.name, seconds)
            self._leave_out(backend, seconds)

    def _leave_out(self, backend: Backend, seconds: float) -> None:
        backend.out_until = max(backend.out_until, self.clock.monotonic() + seconds)
        # A little later, for a timer may ring a nanosecond early, and it rings only once.
        asyncio.get_running_loop().call_later(seconds + 0.01, self.on_room)

    def _refresh(self, backend: Backend, now: float) -> None:
        """Let old responses go, and take an ejected one back when its time has passed."""
        backend.window.age(now)
        if backend.is_ejected and now >= backend.out_until:
            backend.is_ejected = False
            backend.errors_in_a_row = 0
            backend.window.clear()
            backend.joined_at = now

    def _forget_if_done(self, backend: Backend) -> None:
        if backend.draining and not backend.active:
            self._backends.pop(backend.name, None)
