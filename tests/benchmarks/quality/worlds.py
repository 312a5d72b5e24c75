"""What may go wrong around a fleet: dear starts, lost and noisy metrics, outages, slow models."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil, inf
from random import Random
from typing import Final

import numpy as np

from agentscaler.simulate.past import Past
from agentscaler.simulate.provider import LLM_SHARE, Provider
from agentscaler.simulate.replay import Terms
from agentscaler.simulate.scalers import Scaler, Sight
from agentscaler.simulate.workload import chance

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
_APART: Final = 12
"""Hours between two outages, at least."""


@dataclass(frozen=True, slots=True)
class World:
    """One set of conditions; the defaults are the usual ones."""

    slots: int = 4
    start_up: float = 30.0
    scrape_every: float = 15.0
    noise: float = 0.0
    lost: float = 0.0
    outages: int = 0
    most_calls: float | None = None
    failing: float = 0.0
    rollout_every: float = inf
    seed: int = 1

    def terms(self) -> Terms:
        """Give what the replay must know."""
        provider = Provider() if self.most_calls is None else Provider(self.most_calls)
        return Terms(
            seed=self.seed,
            scrape_every=self.scrape_every,
            provider=provider,
            failing=self.failing,
            rollout_every=self.rollout_every,
        )

    def suits(self, past: Past) -> bool:
        """Tell whether a load says something here: long enough, and not hopeless."""
        span = past.end - past.start
        if self.most_calls is not None:
            return LLM_SHARE * float(past.work.sum()) / span <= self.most_calls
        return not self.outages or span >= DAY

    def useful_replicas(self) -> int | None:
        """Tell the fleet that keeps the provider at its limit; None where it has none."""
        return None if self.most_calls is None else ceil(self.most_calls / LLM_SHARE / self.slots)

    def befall(self, past: Past) -> Past:
        """Hide the metrics for an hour where the load rises most, as often as there are outages."""
        return replace(past, gaps=tuple((at, at + HOUR) for at in rises(past, self.outages)))

    def between(self, scaler: Scaler) -> Scaler:
        """Put the losses and the noise between the metrics and who reads them."""
        if not self.noise and not self.lost:
            return scaler
        return Disturbed(scaler, self.noise, self.lost, chance("disturbed", self.seed))


def rises(past: Past, most: int) -> list[float]:
    """Find the moments from which the work of three hours exceeds that before by most."""
    hours = np.bincount(((past.at - past.start) // HOUR).astype(np.int64), weights=past.work)
    if len(hours) < _APART:
        return []
    around = np.convolve(hours, (1.0, 1.0, 1.0, -1.0, -1.0, -1.0), "valid")
    found: list[int] = []
    for place in np.argsort(-around, kind="stable").tolist():
        if len(found) < most and all(abs(place - other) >= _APART for other in found):
            found.append(place)
    return [past.start + (place + 3) * HOUR for place in sorted(found)]


@dataclass(slots=True)
class Disturbed:
    """Shows each reading times a lognormal factor; a lost scrape leaves those before."""

    inner: Scaler
    noise: float
    lost: float
    rng: Random
    _shown: Mapping[str, float | None] = field(default_factory=dict)

    def decide(self, seen: Sight) -> int:
        """Decide on what is left of the readings."""
        if not self._shown or self.rng.random() >= self.lost:
            self._shown = {name: self._blur(name, value) for name, value in seen.readings.items()}
        return self.inner.decide(replace(seen, readings=self._shown))

    def _blur(self, name: str, value: float | None) -> float | None:
        # Slots are configured, not sampled.
        if value is None or name == "capacity":
            return value
        return value * self.rng.lognormvariate(-(self.noise**2) / 2, self.noise)


WORLDS: Final[Mapping[str, World]] = {
    "usual": World(),
    "other seed": World(seed=2),
    "start-up twice as slow": World(start_up=60.0),
    "scrape each 30 s": World(scrape_every=30.0),
    "one slot": World(slots=1),
    "16 slots": World(slots=16),
    "30 % noise": World(noise=0.3),
    "a tenth of the scrapes lost": World(lost=0.1),
    "two outages of an hour": World(outages=2),
    "a fifth of the starts fail": World(failing=0.2),
    "a rollout each six hours": World(rollout_every=6 * HOUR),
    "16 LLM calls at most": World(most_calls=16.0),
}


_SEED: Final = "seed "


def seeded(count: int) -> dict[str, World]:
    """Give the usual world with further seeds, so that there are `count` of it in all."""
    return {f"{_SEED}{seed}": World(seed=seed) for seed in range(2, count + 1)}


def is_seed(title: str) -> bool:
    """Tell whether a world is the usual one with another seed."""
    return title.startswith(_SEED)
