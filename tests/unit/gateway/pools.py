"""A pool of backends under a clock set by hand."""

from typing import Any

from agentscaler.gateway.backends import Backend, Endpoint, Lease, Pool
from agentscaler.gateway.routing.least_connections import LeastConnections
from tests.fakes.clocks import HandClock
from tests.unit.gateway.fleets import ANY


class Fleet:
    """A pool with the endpoints of so many backends."""

    def __init__(self, count: int, **options: Any) -> None:
        self.clock = HandClock()
        self.pool = Pool(LeastConnections(), self.clock, **options)
        self.see(count)

    def see(self, *numbers: int, since: int = 0) -> None:
        """Tell the pool that the backends below a number, or these numbers, are there."""
        there = range(since, numbers[0]) if len(numbers) == 1 else numbers
        self.pool.update([Endpoint(f"10.0.0.{number}:80") for number in there])

    def backend(self, number: int) -> Backend:
        return next(each for each in self.pool.backends if each.name == f"10.0.0.{number}:80")

    def take(self) -> Lease:
        lease = self.pool.try_take(ANY)
        assert lease is not None
        return lease

    def takers(self, count: int) -> list[str]:
        """Give out so many leases and tell whose they are."""
        return [self.take().backend.name for _ in range(count)]

    def fail(self, backend: Backend, times: int) -> None:
        for _ in range(times):
            self.pool.record(backend, 0.1, failed=True)

    def succeed(self, backend: Backend, times: int) -> None:
        for _ in range(times):
            self.pool.record(backend, 0.1, failed=False)
