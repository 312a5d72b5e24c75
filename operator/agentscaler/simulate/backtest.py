"""Set a policy against what was run, fixed fleets and other autoscalers, on the same past."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, Final

import numpy as np

from agentscaler.api.policy import PolicySpec, parse_spec
from agentscaler.api.strategies import Demand, WaitTarget
from agentscaler.forecast import rows
from agentscaler.forecast.rows import Shape
from agentscaler.simulate.past import Past
from agentscaler.simulate.pilot import Pilot
from agentscaler.simulate.replay import Outcome, Replay, Terms
from agentscaler.simulate.scalers import (
    Fixed,
    Horizontal,
    Piloted,
    Recorded,
    Scaler,
    on_utilization,
    on_work,
)

Tell = Callable[[str, float], None]
"""Hears what runs, and what share of it is done."""

POLICY: Final = "this policy"
CANDIDATE: Final = "its candidate"
RECORDED: Final = "what was run"
_FIRST_MINUTES: Final = 600.0
_USUAL_SHARE: Final = 0.7
"""The busy share of the slots that autoscalers on utilization are usually set to."""
_SEARCHED: Final = 7
"""Fixed fleets tried at most: they halve the span between none and enough for the peak."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison; `replicas` tells the size of a fixed fleet."""

    name: str
    outcome: Outcome
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class Backtest:
    """A policy, by its `spec` as parsed YAML, on one past.

    `asked` is the service that is scored; the policy's own where it is None.
    """

    spec: Mapping[str, Any]
    past: Past
    seed: int = 1
    asked: WaitTarget | None = None
    _recalled: dict[Shape, Pilot] = field(default_factory=dict, repr=False, compare=False)

    @property
    def parsed(self) -> PolicySpec:
        """Give the policy as the operator reads it."""
        return parse_spec(self.spec)

    def between(self, start: float, end: float) -> "Backtest":
        """Give the same on a part of the past."""
        return replace(self, past=self.past.cut(start, end), _recalled={})

    def compare(self, tell: Tell) -> list[Row]:
        """Run everything that can be compared, the policy first."""
        rows = [self.run(POLICY, self.pilot(self.spec), tell)]
        if candidate := self.spec.get("candidate"):
            rows.append(self.run(CANDIDATE, self.pilot({**self._plain(), **candidate}), tell))
        if self.past.replicas:
            rows.append(self.run(RECORDED, Recorded(self.past.replicas), tell))
        rows.append(self.least_fixed(tell))
        rows += [self.run(name, scaler, tell) for name, scaler in self._others()]
        return rows

    def pilot(self, spec: Mapping[str, Any]) -> Piloted:
        """Give the production decision for a spec, which knows what came before the past."""
        pilot = Pilot(spec)
        shape = rows.shape_of(pilot.policy.spec)
        if shape not in self._recalled:
            self._recalled[shape] = self._recalling(spec)
        pilot.recall_like(self._recalled[shape])
        return Piloted(pilot)

    def _recalling(self, spec: Mapping[str, Any]) -> Pilot:
        """Work the history into a pilot that is never flown: others know what it knows."""
        pilot = Pilot(spec)
        times, loads = self.past.history()
        known = np.flatnonzero(~np.isnan(loads))
        if len(known):
            pilot.recall(times[known[0] :], loads[known[0] :], now=self.past.start)
        return pilot

    def run(self, name: str, scaler: Scaler, tell: Tell) -> Row:
        """Let one scaler go through the past."""
        replay = Replay(self.past, self.terms, replicas=self._first())
        tell(name, 0.0)
        row = Row(name, replay.run(scaler, lambda share: tell(name, share)))
        tell(name, 1.0)
        return row

    def least_fixed(self, tell: Tell) -> Row:
        """Find the smallest fleet of one size that serves as many in time as the policy asks."""
        goal = self.wait.attainment
        low, high = 1, self._peak()
        best: Row | None = None
        for _ in range(_SEARCHED):
            size = (low + high) // 2
            row = self._fixed(size, tell)
            if row.outcome.attainment >= goal:
                best, high = row, size
            else:
                low = size + 1
            if low >= high:
                break
        return best or self._fixed(high, tell)

    @property
    def wait(self) -> WaitTarget:
        """Give the service that is scored."""
        sizing = self.parsed.sizing
        return self.asked or (sizing if isinstance(sizing, Demand) else Demand()).wait

    @property
    def terms(self) -> Terms:
        """Give what is the same for all."""
        spec = self.parsed
        return Terms(
            wait_target=self.wait.target.total_seconds(),
            polling=spec.polling_interval.total_seconds(),
            seed=self.seed,
        )

    def _fixed(self, size: int, tell: Tell) -> Row:
        replay = Replay(self.past, self.terms, replicas=size)
        name = f"{size} replicas, fixed"
        outcome = replay.run(Fixed(size), lambda share: tell("a fixed fleet", share))
        return Row(name, outcome, size)

    def _others(self) -> list[tuple[str, Scaler]]:
        spec, slots = self.parsed, self.past.slots
        share = _USUAL_SHARE
        bounds = spec.min_replicas, spec.max_replicas
        plain = self._plain()
        work = share * slots
        return [
            ("thresholds, defaults", self.pilot({**plain, "threshold": {}})),
            (f"HPA, {share:.0%} utilization", Horizontal(on_utilization(share), *bounds)),
            (f"KEDA, {work:.3g} a replica", Horizontal(on_work(work), *bounds)),
        ]

    def _plain(self) -> dict[str, Any]:
        """Give the spec without its strategies."""
        strategies = {"demand", "threshold", "candidate"}
        return {key: part for key, part in self.spec.items() if key not in strategies}

    def _first(self) -> int:
        """Give the replicas to begin with: those there were, else enough for the first minutes."""
        if self.past.replicas:
            return self.past.replicas[0][1]
        past, share = self.past, _USUAL_SHARE
        early = past.at < past.start + _FIRST_MINUTES
        busy = float(past.work[early].sum()) / _FIRST_MINUTES
        return max(1, ceil(busy / share / past.slots))

    def _peak(self) -> int:
        """Give a fleet that is enough: for twice the work of the busiest quarter of an hour."""
        past, width = self.past, 900.0
        places = ((past.at - past.start) // width).astype(np.int64)
        busiest = float(np.bincount(places, weights=past.work).max()) / width
        return max(2, ceil(2 * busiest / past.slots))


def without_further(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out custom metrics and gates, whose past is not known."""
    return {key: part for key, part in spec.items() if key not in {"metrics", "gates"}}
