"""The pool of agents as an exact model: slots, one queue, pods that come and go.

Requests wait in one FIFO queue and go to the ready pod with the fewest in flight; a slot is never
idle while something waits. A pod takes requests from ready until closed and is paid from created
until gone. Nothing here knows why pods come and go or what the clock says: a simulator moves time
and pods under virtual time (`cluster`), a test bed moves them as a real cluster's pods do.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from agentscaler.simulate.provider import Provider
from agentscaler.simulate.tally import Tally
from agentscaler.simulate.workload import Request

UNLIMITED: Final = Provider()


@dataclass(slots=True, eq=False)
class Pod:
    """One replica and the requests in its slots."""

    name: str
    open: bool = False
    leaving: bool = False
    gone: bool = False
    in_service: dict[int, Request] = field(default_factory=dict)


class Plant:
    """Pods with `slots` slots each; waits longer than `wait_target` seconds count as late."""

    def __init__(
        self,
        slots: int,
        *,
        wait_target: float = 5.0,
        provider: Provider = UNLIMITED,
        start: float = 0.0,
    ) -> None:
        self.slots = slots
        self.wait_target = wait_target
        self.now = start
        self.tally = Tally()
        self.pods: dict[str, Pod] = {}
        self.waiting: deque[Request] = deque()
        self.in_service = 0
        self._provider = provider
        self._numbers = 0
        # Open pods with a free slot, by the number of requests in service; dicts keep the order.
        self._free: list[dict[Pod, None]] = [{} for _ in range(slots)]
        # Ends lie on a clock of work, which the provider may slow down for all alike.
        self._ends: list[tuple[float, int, Pod]] = []
        self._pace = 1.0
        self._paced_from = start
        self._work_then = start

    @property
    def overdue(self) -> int:
        """Requests that wait longer than the target right now."""
        late = self.now - self.wait_target
        return sum(request.at < late for request in self.waiting)

    def advance(self, until: float) -> None:
        """Let time pass; requests end on the way. Raise ValueError if time would run backwards."""
        if until < self.now:
            raise ValueError(f"time would run backwards, from {self.now} to {until}")
        while (end := self._next_end()) is not None and end <= until:
            self._pass(end)
            self._finish()
        self._pass(until)

    def arrive(self, request: Request) -> None:
        """Let time pass until a request arrives, and begin or queue it."""
        self.advance(request.at)
        self.tally.arrivals += 1
        self.waiting.append(request)
        self._serve()

    def pod_created(self, name: str) -> None:
        """Add a pod that starts: paid for, not serving yet."""
        if name in self.pods:
            raise ValueError(f"there is a pod {name} already")
        self.pods[name] = Pod(name)

    def pod_ready(self, name: str) -> None:
        """Let a pod serve from now on."""
        pod = self.pods[name]
        if not pod.open and not pod.leaving:
            pod.open = True
            self._offer(pod)
            self._serve()

    def pod_closed(self, name: str) -> None:
        """Let a pod finish what it has and take nothing new."""
        self._withdraw(self.pods[name])
        self.pods[name].open = False

    def pod_retired(self, name: str) -> None:
        """Close a pod for good; it goes by itself once it is idle."""
        self.pod_closed(name)
        self.pods[name].leaving = True
        if not self.pods[name].in_service:
            self.pod_gone(name)

    def pod_gone(self, name: str) -> None:
        """Remove a pod; what it still serves ends as an error at once."""
        self.pod_closed(name)
        pod = self.pods.pop(name)
        pod.gone = True
        lost = len(pod.in_service)
        self.in_service -= lost
        self.tally.cut += lost
        for request in pod.in_service.values():
            self.tally.duration_histogram.observe(self.now - request.at)
        self._repace()

    def _serve(self) -> None:
        """Give waiting requests the free slots, oldest first, idlest pod first."""
        while self.waiting and (pod := self._idlest()):
            self._begin(pod, self.waiting.popleft())

    def _idlest(self) -> Pod | None:
        for pods in self._free:
            if pods:
                return next(iter(pods))
        return None

    def _begin(self, pod: Pod, request: Request) -> None:
        self._numbers += 1
        self._withdraw(pod)
        pod.in_service[self._numbers] = request
        self._offer(pod)
        self.in_service += 1
        self._repace()
        heappush(self._ends, (self._work() + request.work, self._numbers, pod))
        self._count_begin(self.now - request.at)

    def _count_begin(self, wait: float) -> None:
        self.tally.begun += 1
        self.tally.late += wait > self.wait_target
        self.tally.waits.append(wait)
        self.tally.wait_histogram.observe(wait)

    def _finish(self) -> None:
        """End the request whose work is done, and give its slot to the next."""
        _, number, pod = heappop(self._ends)
        self._withdraw(pod)
        request = pod.in_service.pop(number)
        self._offer(pod)
        self.in_service -= 1
        self._repace()
        if request.fails:
            self.tally.failed += 1
        else:
            self.tally.succeeded += 1
        self.tally.duration_histogram.observe(self.now - request.at)
        if pod.leaving and not pod.in_service:
            self.pod_gone(pod.name)
        self._serve()

    def _offer(self, pod: Pod) -> None:
        """Note a pod's free slots."""
        if pod.open and len(pod.in_service) < self.slots:
            self._free[len(pod.in_service)][pod] = None

    def _withdraw(self, pod: Pod) -> None:
        if len(pod.in_service) < self.slots:
            self._free[len(pod.in_service)].pop(pod, None)

    def _next_end(self) -> float | None:
        """Tell when the next request ends at the present pace."""
        while self._ends and self._ends[0][2].gone:
            heappop(self._ends)
        if not self._ends:
            return None
        left = self._ends[0][0] - self._work_then
        return max(self.now, self._paced_from + left / self._pace)

    def _work(self) -> float:
        """Read the clock of work."""
        return self._work_then + (self.now - self._paced_from) * self._pace

    def _repace(self) -> None:
        """Let the clock of work run as fast as the provider now answers."""
        if self._provider.most_calls == math.inf:
            return  # asked at each begin and end, a million times a week
        pace = self._provider.pace(self.in_service)
        if pace != self._pace:
            self._work_then, self._paced_from, self._pace = self._work(), self.now, pace

    def _pass(self, until: float) -> None:
        span = until - self.now
        self.tally.replica_seconds += span * len(self.pods)
        self.tally.busy_seconds += span * self.in_service
        self.now = until
