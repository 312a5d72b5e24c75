"""How many slots an offered load needs so that few requests wait long.

Square-root staffing: with `n = R + beta sqrt(R)` slots for an offered load of R, an arriving
request waits with the probability of Halfin and Whitt (1981), and once it waits, its wait is about
exponential with the rate of the spare slots over the time of service.
"""

from functools import lru_cache
from math import erf, exp, pi, sqrt

_WIDEST = 6.0  # beta at which one request in 10^9 waits


def wait_probability(beta: float) -> float:
    """Give the share of requests that wait at all: 1 / (1 + beta Phi(beta) / phi(beta))."""
    density = exp(-beta * beta / 2) / sqrt(2 * pi)
    below = (1 + erf(beta / sqrt(2))) / 2
    return 1 / (1 + beta * below / density)


def late_share(beta: float, load: float, patience: float) -> float:
    """Give the share of requests that wait longer than `patience` times of service."""
    return wait_probability(beta) * exp(-beta * sqrt(load) * patience)


@lru_cache(maxsize=4096)
def safety(load: float, patience: float, attainment: float) -> float:
    """Give the least beta at which `attainment` of the requests wait at most `patience`."""
    allowed = 1 - attainment
    low, high = 0.0, _WIDEST
    # 12 halvings of 6: to 0.0015, far below what one slot can resolve.
    for _ in range(12):
        middle = (low + high) / 2
        if late_share(middle, load, patience) > allowed:
            low = middle
        else:
            high = middle
    return high


def slots_for(load: float, patience: float, attainment: float) -> float:
    """Give the slots for an offered load of `load` busy slots.

    `patience` is the longest good wait, in times of service; 0 where the time is not known.
    """
    if load <= 0:
        return 0.0
    return load + safety(load, patience, attainment) * sqrt(load)
