"""What each part of the decision is worth: the production decision, with one part taken out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from agentscaler.forecast.mixture import Mixture
from agentscaler.simulate.pilot import Pilot
from agentscaler.simulate.scalers import Piloted, Sight

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """How a part is taken out: by the spec, or by what is forgotten, not read, or not asked.

    `forgotten` replaces fields of the memory before each decision, `hidden` readings are missing,
    and `silent` experts of the forecast never speak.
    """

    name: str
    spec: Spec = field(default_factory=dict)
    forgotten: Mapping[str, Any] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    silent: tuple[int, ...] = ()

    def without(self, spec: Spec) -> "Lacking":
        """Make the production decision without this part."""
        pilot = Pilot({**spec, **self.spec})
        return Lacking(Piloted(pilot), self.forgotten, self.hidden, self.silent)


@dataclass(frozen=True, slots=True)
class Lacking:
    """Decides without what a part would know."""

    inner: Piloted
    forgotten: Mapping[str, Any]
    hidden: frozenset[str]
    silent: tuple[int, ...]

    def decide(self, seen: Sight) -> int:
        """Forget, look away, and decide."""
        pilot = self.inner.pilot
        pilot._memory = replace(pilot._memory, **self.forgotten)
        if self.silent:  # at each look: the first one makes the forecaster anew
            silence(pilot, self.silent)
        known = {name: value for name, value in seen.readings.items() if name not in self.hidden}
        return self.inner.decide(replace(seen, readings=known))


def silence(pilot: Pilot, experts: tuple[int, ...]) -> None:
    """Let experts of the forecast never have the evidence that they need to speak."""
    assert pilot._foresight is not None
    mixture = pilot._foresight._bank._cohorts[0].forecaster
    assert isinstance(mixture, Mixture)
    mixture._trial[:, list(experts)] = np.inf


_ALL_AT_ONCE: Final = {"scaleUp": {"maxStep": 1000}, "scaleDown": {"maxStep": 1000}}

PARTS: Final = (
    Part("without the level", forgotten={"level": None}),
    Part("without learning the reserve", forgotten={"reserve": 0.0}),
    Part("without waits: queueing theory", hidden=frozenset({"waitSeconds"})),
    Part("without the window", {"demand": {"scaleDown": {"cooldown": "0s"}}}),
    Part("without damping", forgotten={"last_down": None}),
    Part("without steps", {"demand": _ALL_AT_ONCE}),
    Part("with a spare replica", {"demand": {"spare": 1}}),
    Part("with spare: Auto", {"demand": {"spare": "Auto"}}),
    Part("without the forecast", {"prediction": {"mode": "Off"}}),
    Part("without the levels' experts", silent=(0, 1, 2, 3)),
    Part("without the trend", silent=(4,)),
    Part("without the time of day", silent=(5,)),
    Part("without days alike", silent=(6, 7, 8, 9)),
)
"""The experts go by their places in `mixture.EXPERTS`."""
