"""What Kubernetes does to pods when the count of a target changes, under virtual time."""

import math
from collections.abc import Iterator
from heapq import heappop, heappush
from random import Random
from typing import Final

from agentscaler.simulate.plant import Plant, Pod
from agentscaler.simulate.workload import Request

START_MEDIAN: Final = 30.0
START_P95: Final = 60.0
_SURGE: Final = 0.25  # of a rollout, as Deployments have it by default
_FIRST_PAUSE: Final = 10.0
_LONGEST_PAUSE: Final = 300.0
_SIGMA: Final = math.log(START_P95 / START_MEDIAN) / 1.6449  # the normal quantile of 95 %


def start_delays(
    rng: Random, median: float = START_MEDIAN, failing: float = 0.0
) -> Iterator[float]:
    """Give the seconds that one pod after another needs until ready: p95 is twice the median.

    The share `failing` of starts ends in a crash. The kubelet starts such a pod anew, after 10 s
    the first time, twice as long each time after, 5 min at most.
    """
    while True:
        delay, pause = rng.lognormvariate(math.log(median), _SIGMA), _FIRST_PAUSE
        while failing and rng.random() < failing:
            delay += pause + rng.lognormvariate(math.log(median), _SIGMA)
            pause = min(2 * pause, _LONGEST_PAUSE)
        yield delay


class Cluster:
    """Keeps a plant at a number of replicas; new ones become ready after their delay.

    `delays` is drawn once per new pod, in order, so that the i-th pod of a run needs as long
    whatever decides. The first `ready` pods are there at once.
    """

    def __init__(self, plant: Plant, delays: Iterator[float], *, ready: int) -> None:
        self.plant = plant
        self._delays = delays
        self._born = 0
        self._starting: dict[str, float] = {}
        self._due: list[tuple[float, str]] = []
        self._serving: list[Pod] = []
        self._old: list[Pod] = []  # to be replaced by a rollout
        self._replacing: list[str] = []  # that start in their places, on top of the count
        for _ in range(ready):
            self._make_ready(self._create())

    @property
    def replicas(self) -> int:
        """Replicas asked for; draining ones and those that a rollout has on top do not count."""
        return len(self._serving) + len(self._starting)

    @property
    def ready(self) -> int:
        """Replicas that take requests."""
        return len(self._serving)

    @property
    def in_service(self) -> int:
        """Requests being served by replicas that take more; draining ones left out."""
        return sum(len(pod.in_service) for pod in self._serving)

    @property
    def starting(self) -> int:
        """Replicas that are not ready yet."""
        return len(self._starting)

    @property
    def is_rolling_out(self) -> bool:
        """Whether replicas of an older kind are still to be replaced."""
        return bool(self._old)

    def advance(self, until: float) -> None:
        """Let time pass; pods become ready on the way."""
        while self._due and self._due[0][0] <= until:
            at, name = heappop(self._due)
            if name in self._replacing or self._starting.pop(name, None) is not None:
                self.plant.advance(at)
                self._make_ready(name)
                self._relieve(name)
        self.plant.advance(until)

    def arrive(self, request: Request) -> None:
        """Let time pass until a request arrives."""
        self.advance(request.at)
        self.plant.arrive(request)

    def set_replicas(self, count: int) -> None:
        """Ask for a count: new pods start, or the least useful ones go."""
        while self.replicas < count:
            self._start()
        while self.replicas > count:
            self._remove()

    def roll_out(self) -> None:
        """Replace each replica that serves, a quarter of them at a time, as a Deployment does.

        New ones start on top of the count; each that is ready lets an old one go.
        """
        self._old = self._serving[:]
        at_once = min(math.ceil(_SURGE * self.replicas), len(self._old))
        for _ in range(at_once - len(self._replacing)):
            self._replace()

    def _replace(self) -> None:
        name = self._create()
        self._replacing.append(name)
        heappush(self._due, (self.plant.now + next(self._delays), name))

    def _relieve(self, name: str) -> None:
        """Let an old replica go for a new one that took its place, and start the next."""
        if name not in self._replacing:
            return
        self._replacing.remove(name)
        self._retire(_idlest(self._old))
        if len(self._old) > len(self._replacing):
            self._replace()

    def _start(self) -> None:
        name = self._create()
        self._starting[name] = self.plant.now + next(self._delays)
        heappush(self._due, (self._starting[name], name))

    def _remove(self) -> None:
        """Take the pod that would start last, else the least busy one, the newest of equals."""
        if self._starting:
            name = max(self._starting, key=self._starting.__getitem__)
            del self._starting[name]
            self.plant.pod_gone(name)
        else:
            self._retire(_idlest(self._serving))

    def _retire(self, pod: Pod) -> None:
        self._serving.remove(pod)
        self.plant.pod_retired(pod.name)
        if pod in self._old:
            self._old.remove(pod)
        while len(self._replacing) > len(self._old):  # nobody is left for the last of them
            self.plant.pod_gone(self._replacing.pop())

    def _create(self) -> str:
        self._born += 1
        name = f"pod-{self._born}"
        self.plant.pod_created(name)
        return name

    def _make_ready(self, name: str) -> None:
        self.plant.pod_ready(name)
        self._serving.append(self.plant.pods[name])


def _idlest(pods: list[Pod]) -> Pod:
    """Find the least busy one, the newest of equals."""
    return min(reversed(pods), key=lambda each: len(each.in_service))
