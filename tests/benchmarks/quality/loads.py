"""The load to be served: recorded traces where they are, else two synthetic ones.

A trace is thinned to a number of requests and cut to a number of days, so that a run stays short;
the fleet is then as small as the load, and small fleets are the harder ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from agentscaler.simulate import past, traces, workload
from agentscaler.simulate.past import Past
from agentscaler.simulate.workload import STEPS, Bucket, chance

DAY: Final = 86_400.0
LONGEST: Final = {
    "azure-llm-2023-conv.requests": 1.0,
    "mooncake-conversation.requests": 1.0,
    "claude-code-a-overlay.60s": 3.0,
    "azure-llm-2024-code.60s": 7.0,
    "nasa-http-1995-07.60s": 14.0,
    "servegen-m-small.600s": 7.0,
}
"""The traces, each with the days of it that are served at most."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How much of a trace is served."""

    days: float = 14.0
    requests: int = 1_000_000
    seed: int = 1


def names(folder: Path) -> list[str]:
    """Tell the loads that can be had: the traces of a folder, or the synthetic ones."""
    found = [name for name in LONGEST if (folder / f"{name}.csv.gz").is_file()]
    return found or list(SYNTHETIC)


def read(folder: Path, name: str, cut: Cut, *, slots: int, start_up: float) -> Past:
    """Make the past of a load, in a fleet of so many slots a replica."""
    if name in SYNTHETIC:
        return _of_buckets(SYNTHETIC[name], cut, slots=slots, start_up=start_up)
    path = folder / f"{name}.csv.gz"
    if name.endswith(".requests"):
        return past.of_trace(path, slots=slots, start_up=start_up, seed=cut.seed)
    days = min(cut.days, LONGEST[name])
    buckets = [each for each in traces.read_buckets(path) if each.start < days * DAY]
    return _of_buckets(buckets, cut, slots=slots, start_up=start_up)


def _of_buckets(buckets: Sequence[Bucket], cut: Cut, *, slots: int, start_up: float) -> Past:
    rng = chance("quality", cut.seed)
    begin = past.MONDAY
    within = [each for each in buckets if each.start < cut.days * DAY]
    volume = min(1.0, cut.requests / sum(each.arrivals for each in within))
    thinned = workload.compress(within, rng, speed=1.0, volume=volume)
    drawn = np.array([(each.at, each.work) for each in workload.spread(thinned, rng)])
    return Past(
        start=begin,
        end=begin + within[-1].start + within[-1].width,
        at=begin + drawn[:, 0],
        work=drawn[:, 1],
        slots=slots,
        start_up=start_up,
    )


def _office_days(days: int) -> Iterator[Bucket]:
    """Make days with a busy afternoon and bursts of some minutes."""
    rng = chance("office days")
    burst = 0.0
    law = STEPS.scaled(workload.STEP_SECONDS)
    for minute in range(days * 1440):
        hour = minute / 60 % 24
        burst = 0.9 * burst + 0.1 * rng.gauss(0.0, 1.0)
        mean = (5 + 60 * np.exp(-(((hour - 14) / 4) ** 2))) * np.exp(burst)
        yield Bucket(minute * 60.0, 60.0, round(rng.gauss(mean, mean**0.5) + 0.5), law)


def _nonnegative(buckets: Iterator[Bucket]) -> list[Bucket]:
    return [each._replace(arrivals=max(0, each.arrivals)) for each in buckets]


SYNTHETIC: Final = {
    "synthetic two days": _nonnegative(_office_days(2)),
    "synthetic week": _nonnegative(_office_days(7)),
}
