"""Let a scaler run a fleet through a past, and score it.

The fleet is the exact model of `plant` under virtual time. Metrics are scraped every 15 seconds and
seen half that time later, as in a real cluster; within the gaps of the past nothing is seen.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Final, NamedTuple

import numpy as np

from agentscaler.simulate.cluster import Cluster, start_delays
from agentscaler.simulate.past import Past
from agentscaler.simulate.plant import UNLIMITED, Plant
from agentscaler.simulate.provider import Provider
from agentscaler.simulate.scalers import Scaler, Sight
from agentscaler.simulate.scraping import Scraper
from agentscaler.simulate.workload import Request, chance

SCRAPE_EVERY: Final = 15.0
SCRAPE_AGE: Final = 7.5
UNSCORED: Final = 600.0
"""Seconds at the start in which a fleet that was guessed finds its size."""
FLAP: Final = 600.0
"""Seconds within which a scaling that undoes the one before is a flap."""
_MINUTE: Final = 60.0
_TELL_EVERY: Final = 600.0


class Moment(NamedTuple):
    """How it stood at a poll; `begun`, `late` and `paid` (replica seconds) count from the start."""

    at: float
    in_service: int
    waiting: int
    wanted: int
    ready: int
    begun: int
    late: int
    paid: float


class Minute(NamedTuple):
    """The requests that began about a minute, and those of them that had waited too long."""

    at: float
    begun: int
    late: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scaler did. `waits` are the seconds before work began: p50, p95 and p99.

    `response` is the mean of the seconds from arrival to end, the first minutes included.
    """

    requests: int
    attainment: float
    waits: tuple[float, float, float]
    replica_hours: float
    scalings: int
    flaps: int
    moments: tuple[Moment, ...]
    response: float

    def worst(self, most: int = 5) -> list[Minute]:
        """Give the minutes with most late requests, in the order of time."""
        bad = sorted((each for each in self._minutes() if each.late), key=lambda each: -each.late)
        return sorted(bad[:most])

    def _minutes(self) -> Iterator[Minute]:
        before = self.moments[0]
        for moment in self.moments[1:]:
            if moment.at - before.at >= _MINUTE:
                yield Minute(before.at, moment.begun - before.begun, moment.late - before.late)
                before = moment


@dataclass(frozen=True, slots=True)
class Terms:
    """What is the same for all who are compared: the wait, the polls, the provider, the chance.

    `failing` is the share of starts that end in a crash; every `rollout_every` seconds a rollout
    begins.
    """

    wait_target: float = 5.0
    polling: float = 15.0
    seed: int = 1
    scrape_every: float = SCRAPE_EVERY
    provider: Provider = UNLIMITED
    failing: float = 0.0
    rollout_every: float = inf


class Replay:
    """One fleet on its way through a past."""

    def __init__(self, past: Past, terms: Terms, *, replicas: int) -> None:
        self._past = past
        self._terms = terms
        plant = Plant(
            past.slots, wait_target=terms.wait_target, provider=terms.provider, start=past.start
        )
        delays = start_delays(chance("starts", terms.seed), past.start_up, terms.failing)
        self._cluster = Cluster(plant, delays, ready=replicas)
        self._scraper = Scraper(self._cluster)
        self._requests = past.requests()
        self._next: Request | None = next(self._requests, None)
        self._moments: list[Moment] = []
        self._rollout_at = past.start + terms.rollout_every

    def run(self, scaler: Scaler, tell: Callable[[float], None] = lambda _share: None) -> Outcome:
        """Go from start to end; `tell` hears now and then what share of the way is behind."""
        past, told = self._past, self._past.start
        for at, is_poll in self._stops():
            self._move_to(at)
            if not is_poll:
                self._scraper.scrape(at)
                continue
            self._poll(scaler, at)
            if at - told >= _TELL_EVERY:
                told = at
                tell((at - past.start) / (past.end - past.start))
        self._move_to(past.end)
        self._note(past.end)
        return self._outcome()

    def _stops(self) -> Iterator[tuple[float, bool]]:
        """Give the moments of scrapes and polls in order, with whether it is a poll."""
        scrape = self._past.start
        poll = scrape + SCRAPE_AGE
        while min(scrape, poll) < self._past.end:
            if scrape <= poll:
                yield scrape, False
                scrape += self._terms.scrape_every
            else:
                yield poll, True
                poll += self._terms.polling

    def _move_to(self, at: float) -> None:
        request = self._next
        while request is not None and request.at <= at:
            self._cluster.arrive(request)
            request = next(self._requests, None)
        self._next = request
        self._cluster.advance(at)

    def _poll(self, scaler: Scaler, at: float) -> None:
        cluster, past = self._cluster, self._past
        if at >= self._rollout_at:
            self._rollout_at += self._terms.rollout_every
            cluster.roll_out()
        known = {} if past.is_gap(at) else self._scraper.readings()
        seen = Sight(
            now=at,
            readings=known | past.readings(at),
            current=cluster.replicas,
            ready=cluster.ready,
            starting=cluster.starting,
            rolling_out=cluster.is_rolling_out,
        )
        cluster.set_replicas(scaler.decide(seen))
        self._note(at)

    def _note(self, at: float) -> None:
        cluster, tally = self._cluster, self._cluster.plant.tally
        self._moments.append(
            Moment(
                at=at,
                in_service=cluster.plant.in_service,
                waiting=len(cluster.plant.waiting),
                wanted=cluster.replicas,
                ready=cluster.ready,
                begun=tally.begun,
                late=tally.late,
                paid=tally.replica_seconds,
            )
        )

    def _outcome(self) -> Outcome:
        past, plant = self._past, self._cluster.plant
        score_from = past.start + min(UNSCORED, (past.end - past.start) / 4)
        scored = [moment for moment in self._moments if moment.at >= score_from]
        first, last = scored[0], scored[-1]
        waits = np.array(plant.tally.waits)[first.begun :]
        requests = last.begun - first.begun + plant.overdue
        late = last.late - first.late + plant.overdue
        p50, p95, p99 = np.quantile(waits, (0.5, 0.95, 0.99)).tolist() if len(waits) else (0.0,) * 3
        scalings = _scalings(scored)
        return Outcome(
            requests=requests,
            attainment=1 - late / requests if requests else 1.0,
            waits=(p50, p95, p99),
            replica_hours=(last.paid - first.paid) / 3600,
            scalings=len(scalings),
            flaps=_flaps(scalings),
            moments=tuple(scored),
            response=plant.tally.duration_histogram.mean,
        )


def _scalings(moments: list[Moment]) -> list[tuple[float, int]]:
    """Give the changes of the count that was asked for, each with its moment."""
    return [
        (after.at, after.wanted - before.wanted)
        for before, after in pairwise(moments)
        if after.wanted != before.wanted
    ]


def _flaps(scalings: list[tuple[float, int]]) -> int:
    return sum(
        change * change_before < 0 and at - at_before <= FLAP
        for (at_before, change_before), (at, change) in pairwise(scalings)
    )
