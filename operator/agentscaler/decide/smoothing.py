"""What of the load's ups and downs is real: the level behind samples that jump about.

A sample of the requests in service is a level that drifts, plus what is gone before a replica could
have started for it: requests that came together by chance, noise of the measurement. The changes
from sample to sample tell the two apart: after noise the load comes back, after drift it does not.
For a level that drifts at random, minus the covariance of successive changes is the variance of the
noise, and the rest of their variance is drift. The share of a surprise to be believed follows from
the ratio of both (Muth 1960; the steady gain of the Kalman filter for that model), so a load that
is seen clearly is followed at once, and nothing needs to be set.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from math import sqrt
from typing import Final

from agentscaler.api.policy import PolicySpec
from agentscaler.api.signals import SignalName
from agentscaler.api.strategies import Demand
from agentscaler.decide import work
from agentscaler.decide.decision import Level, Memory
from agentscaler.decide.snapshot import Missing, Snapshot

_OLDEST: Final = timedelta(minutes=2)  # beyond, the load may be anywhere: the level begins anew
_FEWEST: Final = 8  # changes, below which their covariance says nothing
_SHARE: Final = 1 / 480  # of the newest change in the means: two hours of polls of 15 s
_LEAST_GAIN: Final = 0.1  # a level that is too slow would miss a new day


def present(seen: Snapshot, memory: Memory) -> float:
    """Give the level of the requests in service; of a sample that is missing nothing is known."""
    active = work.signal(seen, SignalName.ACTIVE_REQUESTS)
    return 0.0 if isinstance(active, Missing) else _level(active, seen.now, memory.level)


def learned(policy: PolicySpec, seen: Snapshot, memory: Memory) -> Level | None:
    """Give the level for the decisions to come; a sample that is missing teaches nothing."""
    active, known = work.signal(seen, SignalName.ACTIVE_REQUESTS), memory.level
    if isinstance(active, Missing) or not isinstance(policy.sizing, Demand):
        return known
    value = _level(active, seen.now, known)
    if known is None:
        return Level(seen.now, value, active)
    if seen.now - known.at > _OLDEST:
        return Level(seen.now, value, active, 0.0, known.spread, known.echo, known.changes)
    if active == known.sample and not known.repeated:
        # Polled twice as often as scraped: not a change of nothing. Once only, for a load may rest.
        return replace(known, at=seen.now, value=value, repeated=True)
    # What comes by chance grows with the root of the load; of a load below one, nothing is known.
    change = (active - known.sample) / sqrt(max(known.value, active, 1.0))
    share = max(_SHARE, 1 / (known.changes + 1))
    return Level(
        at=seen.now,
        value=value,
        sample=active,
        change=change,
        spread=known.spread + share * (change * change - known.spread),
        echo=known.echo + share * (change * known.change - known.echo),
        changes=known.changes + 1,
    )


def growth(seen: Snapshot, memory: Memory, polls: float) -> float:
    """Give by how many slots the level drifts within so many polls; 0 where too few told.

    It is a standard deviation: what drifts at random spreads with the root of the time.
    """
    known = memory.level
    if known is None or known.changes < _FEWEST:
        return 0.0
    return sqrt(_drift(known) * max(present(seen, memory), 1.0) * polls)


def _drift(known: Level) -> float:
    """Give the variance of the level's own changes, as a share of the level."""
    return max(known.spread + 2 * known.echo, 0.0)


def _level(active: float, now: datetime, known: Level | None) -> float:
    """Give the level after a sample; a higher sample never gives a lower level."""
    if known is None or now - known.at > _OLDEST:
        return active
    return known.value + gain(known) * (active - known.value)


def gain(known: Level) -> float:
    """Give the share of a surprise that is believed: 1 where nothing speaks of noise."""
    noise = -known.echo
    if known.changes < _FEWEST or noise <= 0:
        return 1.0
    ratio = _drift(known) / noise
    # The root of g^2 = ratio (1 - g), written so that a large ratio loses no digits.
    return max(_LEAST_GAIN, 2 / (1 + sqrt(1 + 4 / ratio)) if ratio > 0 else 0.0)
