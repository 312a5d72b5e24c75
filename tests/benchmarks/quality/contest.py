"""Run who is compared on one load in one world, and set the cost against the oracle's."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import numpy as np

from agentscaler.simulate.past import Past
from agentscaler.simulate.pilot import Pilot
from agentscaler.simulate.replay import UNSCORED, Outcome, Replay
from agentscaler.simulate.scalers import Fixed, Piloted, Scaler
from tests.benchmarks.quality import oracle
from tests.benchmarks.quality.peers import PEERS, Make, thresholds
from tests.benchmarks.quality.worlds import World

GOAL: Final = 0.99
USUAL_SHARE: Final = 0.7
OURS: Final = "agentscaler, defaults"
_LEANEST: Final = 2.0
_HALVINGS: Final = 6


@dataclass(frozen=True, slots=True)
class Result:
    """How one did; `cost` is a multiple of the oracle's replica-hours."""

    name: str
    attainment: float
    cost: float
    replica_hours: float
    scalings: int
    flaps: int
    setting: float | None = None


class Contest:
    """One load in one world."""

    def __init__(self, past: Past, world: World) -> None:
        self.past = world.befall(past)
        self.world = world
        self.yardstick = oracle.measure(past, world.terms().wait_target, GOAL)
        minutes = ((past.at - past.start) // 60).astype(np.int64)
        self._busy = np.bincount(minutes, weights=past.work) / 60 / past.slots
        self.most = max(2, ceil(2 * self._busy.max()))

    def ours(self, further: dict[str, Any]) -> Result:
        """Let the production decision run with its defaults, but for what is given."""
        spec = {"scaleTargetRef": {"name": "agent"}, "maxReplicas": self.most, **further}
        return self._result(OURS, self.run(Piloted(Pilot(spec))))

    def peers(self, *, tuned: bool) -> Iterator[Result]:
        """Let the others run: with the usual setting, or the leanest that reaches the goal."""
        yield self._result("thresholds, latency as wait", self.run(thresholds(self.most)))
        for name, make in PEERS.items():
            if tuned:
                yield self._leanest(name, make)
            else:
                outcome = self.run(self._make(make, USUAL_SHARE))
                yield self._result(name, outcome, USUAL_SHARE)

    def fixed(self) -> Iterator[Result]:
        """Let a fleet of one size run: for the peak, and the smallest that reaches the goal."""
        yield self._result("static, peak", self.run(Fixed(self.most)))
        low, high = 1, self.most
        while low < high:
            size = (low + high) // 2
            if self.run(Fixed(size)).attainment >= GOAL:
                high = size
            else:
                low = size + 1
        yield self._result("static, least", self.run(Fixed(high)))

    def run(self, scaler: Scaler) -> Outcome:
        """Let one go through the past."""
        first = max(1, ceil(self._busy[: int(UNSCORED // 60)].mean() / USUAL_SHARE))
        replay = Replay(self.past, self.world.terms(), replicas=first)
        return replay.run(self.world.between(scaler))

    def _make(self, make: Make, share: float) -> Scaler:
        return make(share, self.past.slots, self.most)

    def _leanest(self, name: str, make: Make) -> Result:
        low, high = 0.3, _LEANEST
        best: Result | None = None
        for _ in range(_HALVINGS):
            share = (low + high) / 2
            result = self._result(name, self.run(self._make(make, share)), share)
            if result.attainment >= GOAL:
                best, low = result, share
            else:
                high = share
        return best or self._result(name, self.run(self._make(make, low)), low)

    def _result(self, name: str, outcome: Outcome, setting: float | None = None) -> Result:
        return Result(
            name,
            outcome.attainment,
            outcome.replica_hours / self.yardstick.oracle,
            outcome.replica_hours,
            outcome.scalings,
            outcome.flaps,
            setting,
        )
