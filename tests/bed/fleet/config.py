"""What a fleet plays: agents and the load of each, as read from JSON."""

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agentscaler.simulate import traces
from agentscaler.simulate.days import Daily
from agentscaler.simulate.workload import Lognormal, Request, chance, compress, spread, steady

Shown = Literal["live", "frozen", "absent"]
Positive = Annotated[float, Field(gt=0)]


class Strict(BaseModel):
    """A record that refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=True)


class Work(Strict):
    """Seconds of service that a request needs: lognormal, at most `most`."""

    mean: Positive = 2.0
    sigma: float = 0.6
    most: Positive = 20.0

    def law(self) -> Lognormal:
        return Lognormal(self.mean, self.sigma, self.most)


class Steady(Strict):
    """Requests at one mean rate a second; 0 is none."""

    kind: Literal["steady"] = "steady"
    rate: Annotated[float, Field(ge=0)] = 0.0
    work: Work = Work()
    seed: int = 0

    def arrivals(self, start: float) -> Iterator[Request]:
        return steady(self.rate, self.work.law(), chance(self.seed, start), start=start)


class Days(Strict):
    """Synthetic days, see `agentscaler.simulate.days`."""

    kind: Literal["days"] = "days"
    peak: Positive
    work: Work = Work()
    seed: int = 0
    season: Positive = 86_400.0
    noise: float = 0.08
    bursts: int = 2
    burst_height: float = 0.5

    def daily(self) -> Daily:
        given = self.model_dump(exclude={"kind", "work"})
        return Daily(work=self.work.law(), **given)

    def arrivals(self, start: float) -> Iterator[Request]:
        return self.daily().arrivals(start)


class Trace(Strict):
    """A recorded trace of counts, once, from second 0 on; see `agentscaler.simulate.traces`."""

    kind: Literal["trace"] = "trace"
    path: Path
    speed: Positive = 1.0
    volume: Positive = 1.0
    work: Positive = 1.0
    seed: int = 0

    def arrivals(self, start: float) -> Iterator[Request]:
        rng = chance(self.seed)
        buckets = compress(
            traces.read_buckets(self.path),
            rng,
            speed=self.speed,
            volume=self.volume,
            work=self.work,
        )
        return (request for request in spread(buckets, rng) if request.at >= start)


Load = Annotated[Steady | Days | Trace, Field(discriminator="kind")]


class AgentConfig(Strict):
    """One agent Deployment: `slots` requests at once per pod, and its load."""

    namespace: str = "default"
    name: str
    slots: Annotated[int, Field(ge=1)] = 4
    wait_target: Positive = 5.0
    provider_calls: Positive | None = None
    load: Load = Steady()


class FleetConfig(Strict):
    """All agents; `epoch` is the Unix time of the loads' second 0.

    leave_when_drained: a deleted pod goes once it is idle, as a real one ends its process; without
        it a pod goes when its kubelet says so, and what it still serves is cut off.
    """

    epoch: float = 0.0
    leave_when_drained: bool = False
    agents: tuple[AgentConfig, ...] = ()


class Change(Strict):
    """What may be turned by hand while an agent plays; what is left out stays.

    pins: metric name to the value shown instead of the true one (`NaN` too; per pod where pods
        export it), or `absent`; null lets the true one be shown again.
    """

    load: Load | None = None
    error_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    rate_limited_ratio: Annotated[float, Field(ge=0, lt=1)] | None = None
    shown: Shown | None = None
    pins: dict[str, float | Literal["absent"] | None] = {}


class Gauge(Strict):
    """A custom series: its labels are free, so that any query can be tried on it."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
    value: float | None
    labels: dict[str, str] = {}


class PageChange(Strict):
    """How the whole page is shown; `absent` answers 503."""

    shown: Shown


def requests_between(load: Load, start: float, end: float) -> list[Request]:
    """List the requests of a span of time, the same that a fleet plays."""
    return list(takewhile(lambda request: request.at < end, load.arrivals(start)))
