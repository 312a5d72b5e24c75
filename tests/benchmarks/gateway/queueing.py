"""`python -m tests.benchmarks.gateway.queueing`: what any order of serving could reach, in seconds.

The load of the benchmark without proxies or HTTP: ten agents with four slots, lognormal work. Tells
how far one line for all is from work that never waits, and what lines at each agent cost.
"""

import heapq
import random
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

AGENTS, SLOTS = 10, 4
MEAN_SECONDS, SIGMA = 0.2, 1.23  # the 99th percentile of the work is 1.6 s
REQUESTS, WARM = 20_000, 2_000
WAIT_TARGET = 0.5

Times = NDArray[np.float64]
Pick = Callable[[list[int]], int]


def one_line(arrivals: Times, work: Times) -> Times:
    """Give the waits where the next free slot of any agent takes the first in line."""
    free = [0.0] * (AGENTS * SLOTS)
    waits = np.zeros(len(work))
    for number, (at, seconds) in enumerate(zip(arrivals, work, strict=True)):
        began = max(at, heapq.heappop(free))
        heapq.heappush(free, began + seconds)
        waits[number] = began - at
    return waits


def line_each(arrivals: Times, work: Times, pick: Pick) -> Times:
    """Give the waits where each request is put into the line of the agent that `pick` names."""
    free = [[0.0] * SLOTS for _ in range(AGENTS)]
    ends: list[list[float]] = [[] for _ in range(AGENTS)]
    waits = np.zeros(len(work))
    for number, (at, seconds) in enumerate(zip(arrivals, work, strict=True)):
        for line in ends:
            while line and line[0] <= at:
                heapq.heappop(line)
        agent = pick([len(line) for line in ends])
        began = max(at, heapq.heappop(free[agent]))
        for heap in (free[agent], ends[agent]):
            heapq.heappush(heap, began + seconds)
        waits[number] = began - at
    return waits


def fewest(counts: list[int], chance: random.Random) -> int:
    """Pick one of those with the fewest requests."""
    least = min(counts)
    return chance.choice([agent for agent, count in enumerate(counts) if count == least])


def better_of_two(counts: list[int], chance: random.Random) -> int:
    """Pick the less busy of two drawn."""
    return min(chance.sample(range(AGENTS), 2), key=counts.__getitem__)


def compared(load: float, seed: int = 1) -> dict[str, tuple[float, float]]:
    """Give the 99th percentile of the responses and the share of late starts, by way of serving."""
    rng, chance = np.random.default_rng(seed), random.Random(seed)  # noqa: S311 - a load
    work = rng.lognormal(np.log(MEAN_SECONDS) - SIGMA**2 / 2, SIGMA, REQUESTS)
    gaps = rng.exponential(MEAN_SECONDS / (AGENTS * SLOTS * load), REQUESTS)
    arrivals = np.cumsum(gaps)
    ways = {
        "no waiting": np.zeros(REQUESTS),
        "one line": one_line(arrivals, work),
        "fewest": line_each(arrivals, work, lambda counts: fewest(counts, chance)),
        "two choices": line_each(arrivals, work, lambda counts: better_of_two(counts, chance)),
    }
    return {
        name: (
            float(np.percentile((waits + work)[WARM:], 99)),
            float((waits[WARM:] > WAIT_TARGET).mean()),
        )
        for name, waits in ways.items()
    }


LOADS: Final = (0.75, 0.95)

if __name__ == "__main__":
    for load in LOADS:
        print(f"{load:.0%} busy")
        for name, (tail, late) in compared(load).items():
            print(f"  {name:12} p99 {tail:.2f} s, {late:.1%} began after {WAIT_TARGET} s")
