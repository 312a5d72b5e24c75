"""Load as it arrives: requests, each with a moment and an amount of work.

Sources are recorded traces (`traces`), synthetic days (`days`) and the streams made here. All are
iterators in the order of time, and all chance comes from a `Random` that the caller seeds, so that
the same seed gives the same load on every machine. Who serves the load is not known here.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple


def chance(*seed: object) -> Random:
    """Make a source of chance that is the same for the same seed, on every machine."""
    return Random("/".join(map(str, seed)))  # noqa: S311 - a model, nothing is secret


class Request(NamedTuple):
    """One request: arrives at `at` seconds, occupies a slot for `work` seconds.

    One that `fails` ends as an error; it occupies its slot all the same.
    """

    at: float
    work: float
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Lognormal:
    """A skewed amount with this mean, cut off at `most` (which lowers the mean a little)."""

    mean: float
    sigma: float
    most: float = math.inf

    def draw(self, rng: Random) -> float:
        """Draw one amount."""
        mu = math.log(self.mean) - self.sigma**2 / 2
        return min(rng.lognormvariate(mu, self.sigma), self.most)

    def scaled(self, factor: float) -> "Lognormal":
        """Give the law of `factor` times the amount."""
        return Lognormal(self.mean * factor, self.sigma, self.most * factor)


STEPS: Final = Lognormal(mean=2.5, sigma=0.6, most=20.0)
"""Model calls that one agent request makes, one after the other."""

STEP_SECONDS: Final = 6.0
"""Length of one step where its tokens are not known."""


def step_seconds(prompt_tokens: float | None, output_tokens: float | None) -> float:
    """Tell how long one step takes: 2 s of tools, 0.5 ms a prompt token, 20 ms an output token."""
    if prompt_tokens is None or output_tokens is None:
        return STEP_SECONDS
    return 2.0 + 0.0005 * prompt_tokens + 0.02 * output_tokens


class Bucket(NamedTuple):
    """Arrivals that were only counted: so many within `width` seconds from `start`."""

    start: float
    width: float
    arrivals: int
    work: Lognormal


def spread(buckets: Iterable[Bucket], rng: Random) -> Iterator[Request]:
    """Give every counted arrival a moment, evenly within its bucket, and a work."""
    for bucket in buckets:
        for at in sorted(rng.random() for _ in range(bucket.arrivals)):
            yield Request(bucket.start + at * bucket.width, bucket.work.draw(rng))


def compress(
    buckets: Iterable[Bucket], rng: Random, *, speed: float, volume: float, work: float = 1.0
) -> Iterator[Bucket]:
    """Let time pass `speed` times as fast, with `volume` times the arrivals and `work` the work.

    A day in three minutes at the same requests per second: speed 480, volume 1/480. A fraction of
    an arrival becomes one by chance, so that totals keep their mean.
    """
    for bucket in buckets:
        exact = bucket.arrivals * volume
        yield Bucket(
            bucket.start / speed,
            bucket.width / speed,
            int(exact) + (rng.random() < exact % 1.0),
            bucket.work.scaled(work),
        )


class Segment(NamedTuple):
    """A span of time with one mean rate of arrivals, in requests a second."""

    start: float
    end: float
    rate: float


def poisson(segments: Iterable[Segment], work: Lognormal, rng: Random) -> Iterator[Request]:
    """Let requests arrive by chance at each segment's rate."""
    for start, end, rate in segments:
        # Exponential gaps have no memory: starting anew at each border keeps the rate exact.
        at = start + rng.expovariate(rate) if rate > 0 else end
        while at < end:
            yield Request(at, work.draw(rng))
            at += rng.expovariate(rate)


def steady(rate: float, work: Lognormal, rng: Random, *, start: float) -> Iterator[Request]:
    """Let requests arrive by chance at one rate, for ever."""
    return poisson([Segment(start, math.inf, rate)], work, rng)
