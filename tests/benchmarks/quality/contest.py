"""Run who is compared on one load in one world, and set the cost against the oracle's."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import ceil, sqrt
from typing import Any, Final

import numpy as np

from agentscaler.simulate.past import Past
from agentscaler.simulate.pilot import Pilot
from agentscaler.simulate.replay import UNSCORED, Moment, Outcome, Replay, Terms
from agentscaler.simulate.scalers import Fixed, Piloted, Scaler
from tests.benchmarks.quality import oracle
from tests.benchmarks.quality.parts import PARTS
from tests.benchmarks.quality.peers import PEERS, Make, WaitAsLatency, thresholds
from tests.benchmarks.quality.worlds import World

GOAL: Final = 0.99
USUAL_SHARE: Final = 0.7
OURS: Final = "agentscaler"
DEFAULTS: Final = "defaults"
_SHARES: Final = (0.3, 2.0)
_LATE: Final = (0.001, 0.3)
_HALVINGS: Final = 6
_WINDOWS: Final = ("60s", "120s", "180s", "300s")


@dataclass(frozen=True, slots=True)
class Result:
    """How one did; `cost` is a multiple of the oracle's replica-hours.

    `wasted` is what was paid beyond the fleet that the provider can keep busy, as a share of the
    rest, and `dearer` how much more was paid than without the limit; None where the provider has
    none. `response` is the mean of the seconds from arrival to end. Yardsticks have no attainment
    and no responses of their own.
    """

    algorithm: str
    variant: str
    attainment: float | None
    cost: float
    replica_hours: float
    scalings: int = 0
    flaps: int = 0
    setting: float | None = None
    wasted: float | None = None
    window: str = ""
    dearer: float | None = None
    response: float | None = None

    @property
    def name(self) -> str:
        """Give the line of the tables that it belongs to."""
        return f"{self.algorithm}, {self.variant}" if self.variant else self.algorithm


class Contest:
    """One load in one world."""

    def __init__(self, past: Past, world: World) -> None:
        self.past = world.befall(past)
        self.world = world
        self.yardstick = oracle.measure(past, world.terms().wait_target, GOAL)
        minutes = ((past.at - past.start) // 60).astype(np.int64)
        self._busy = np.bincount(minutes, weights=past.work) / 60 / past.slots
        self.most = max(2, ceil(2 * self._busy.max()))

    def ours(self, further: dict[str, Any], variant: str = "") -> Result:
        """Let the production decision run with its defaults, but for what is given."""
        variant = variant or ("as given" if further else DEFAULTS)
        result = self.result(OURS, variant, self.run(self._piloted(further)))
        if self.world.most_calls is None:
            return result
        free = self.run(self._piloted(further), replace(self.world, most_calls=None).terms())
        return replace(result, dearer=result.replica_hours / free.replica_hours - 1)

    def peers(self, shares: Sequence[float]) -> Iterator[Result]:
        """Let the others run with each setting."""
        written = thresholds(self.most)
        yield self.result("thresholds", "as written", self.run(written))
        as_wait = WaitAsLatency(thresholds(self.most))
        yield self.result("thresholds", "latency as wait", self.run(as_wait))
        for algorithm in PEERS:
            for share in shares:
                yield self.peer(algorithm, share)

    def peer(self, algorithm: str, share: float) -> Result:
        """Let one of the others run with one setting."""
        outcome = self.run(self._made(PEERS[algorithm], share))
        return self.result(algorithm, f"{share:.0%}", outcome, share)

    def ours_asked(self, attainment: float) -> Result:
        """Let the production decision run with another service to aim at."""
        outcome = self.run(self._aiming("300s", 1 - attainment))
        return self.result(OURS, f"aiming at {attainment:.1%}", outcome, attainment)

    def parts(self) -> Iterator[Result]:
        """Let the production decision run without each of its parts."""
        for part in PARTS:
            yield self.result(OURS, part.name, self.run(part.without(self.spec({}))))

    def tuned(self) -> Iterator[Result]:
        """Let all run with the leanest setting that reaches the goal on this load.

        Ours has two knobs: the cheapest window is taken, each with the leanest aim.
        """
        found = [
            replace(self._leanest(OURS, partial(self._aiming, window), _LATE), window=window)
            for window in _WINDOWS
        ]
        yield min(found, key=lambda each: ((each.attainment or 0.0) < GOAL, each.cost))
        for algorithm, make in PEERS.items():
            yield self._leanest(algorithm, partial(self._made, make), _SHARES)

    def yardsticks(self) -> Iterator[Result]:
        """Tell what the oracle pays, and a fleet that is never idle."""
        told = self.yardstick
        yield Result("oracle", "", None, 1.0, told.oracle)
        yield from self.rates_known()
        yield Result("floor", "", None, told.floor / told.oracle, told.floor)

    def rates_known(self) -> Iterator[Result]:
        """Tell what the best forecast of the rate would pay: it cannot foresee chance."""
        for span in oracle.RATES:
            cost = oracle.of_rate(self.past, span, self.world.terms().wait_target, GOAL)
            name = f"oracle of the rate, {2 * span / 60:.0f} minutes"
            yield Result(name, "", None, cost / self.yardstick.oracle, cost)

    def fixed(self) -> Iterator[Result]:
        """Let a fleet of one size run: for the peak, and the smallest that reaches the goal."""
        yield self.result("static", "peak", self.run(Fixed(self.most)))
        low, high = 1, self.most
        while low < high:
            size = (low + high) // 2
            if self.run(Fixed(size)).attainment >= GOAL:
                high = size
            else:
                low = size + 1
        yield self.result("static", "least", self.run(Fixed(high)))

    def run(self, scaler: Scaler, terms: Terms | None = None) -> Outcome:
        """Let one go through the past, on the terms of the world if no others are given."""
        first = max(1, ceil(self._busy[: int(UNSCORED // 60)].mean() / USUAL_SHARE))
        replay = Replay(self.past, terms or self.world.terms(), replicas=first)
        return replay.run(self.world.between(scaler))

    def _piloted(self, further: dict[str, Any]) -> Scaler:
        return Piloted(Pilot(self.spec(further)))

    def spec(self, further: dict[str, Any]) -> dict[str, Any]:
        """Give the spec of ours: defaults, but for what is given."""
        return {"scaleTargetRef": {"name": "agent"}, "maxReplicas": self.most, **further}

    def _aiming(self, window: str, late: float) -> Scaler:
        wait, down = {"attainment": f"{1 - late:.2%}"}, {"cooldown": window}
        return self._piloted({"demand": {"wait": wait, "scaleDown": down}})

    def _made(self, make: Make, share: float) -> Scaler:
        return make(share, self.past.slots, self.most)

    def _leanest(
        self, algorithm: str, make: Callable[[float], Scaler], span: tuple[float, float]
    ) -> Result:
        """Halve a span of ratios, the leaner the higher; the lowest if none reaches the goal."""
        low, high = span
        best: Result | None = None
        for _ in range(_HALVINGS):
            setting = sqrt(low * high)
            result = self.result(algorithm, "tuned", self.run(make(setting)), setting)
            if result.attainment is not None and result.attainment >= GOAL:
                best, low = result, setting
            else:
                high = setting
        return best or self.result(algorithm, "tuned", self.run(make(low)), low)

    def result(
        self, algorithm: str, variant: str, outcome: Outcome, setting: float | None = None
    ) -> Result:
        """Set an outcome against the oracle's."""
        useful = self.world.useful_replicas()
        return Result(
            algorithm,
            variant,
            outcome.attainment,
            outcome.replica_hours / self.yardstick.oracle,
            outcome.replica_hours,
            outcome.scalings,
            outcome.flaps,
            setting,
            None if useful is None else wasted(outcome.moments, useful),
            response=outcome.response,
        )


def wasted(moments: Sequence[Moment], useful: int) -> float:
    """Tell what was paid beyond so many replicas, as a share of what was paid for these."""
    total = beyond = 0.0
    for before, after in pairwise(moments):
        paid = after.paid - before.paid
        total += paid
        beyond += max(0.0, paid - useful * (after.at - before.at))
    return beyond / (total - beyond)
