"""What ten thousand policies in one process may cost, and how costs may grow."""

from collections.abc import Iterator, Sequence
from math import log
from typing import Final

from tests.benchmarks.scale.rounds import CYCLE_SECONDS, Result
from tests.benchmarks.verdicts import Verdict

GOAL_SIZE: Final = 10_000
_CORES: Final = 0.5
_ALL_CORES: Final = 1.0
_MIB: Final = 300.0
_START_SECONDS: Final = 60.0
# By this factor at most each policy may be dearer at the largest size than at the one before.
_GROWTH: Final = 1.15


def judge(results: Sequence[Result]) -> Iterator[Verdict]:
    """Hold the results against each goal that they can tell of."""
    for result in results:
        if result.policies == GOAL_SIZE:
            yield from _costs(result)
    if len(results) > 1:
        yield from _queries(results)
        yield _growth(results)


def _costs(result: Result) -> Iterator[Verdict]:
    cores, every = result.cpu_cores["operator"], sum(result.cpu_cores.values())
    yield Verdict("operator at most half a core", f"{cores:.2f}", cores <= _CORES)
    yield Verdict("all over baseline at most one core", f"{every:.2f}", every <= _ALL_CORES)
    rss = max(result.rss_mib, result.start_rss_mib)
    yield Verdict(f"at most {_MIB:.0f} MiB", f"{rss:.0f}", rss <= _MIB)
    for told, seconds in (
        ("first start", result.cold_seconds),
        ("restart", result.restart_seconds),
    ):
        goal = f"{told}: all decided on within {_START_SECONDS:.0f} s"
        yield Verdict(goal, f"{seconds:.0f} s", seconds <= _START_SECONDS)
    waited = result.throttled_seconds
    yield Verdict("no waiting for the own rate limit", f"{waited:.1f} s", waited == 0)


def _queries(results: Sequence[Result]) -> Iterator[Verdict]:
    # Where a pass takes longer than a cycle, not each cycle has one.
    whole = [result for result in results if result.pass_seconds < CYCLE_SECONDS]
    if len(whole) < 2:
        return
    counts = [result.queries_per_cycle for result in whole]
    told = ", ".join(f"{count:.1f}" for count in counts)
    is_met = max(counts) <= 1.1 * min(counts)
    yield Verdict("queries per cycle are constant", told, is_met)


def _growth(results: Sequence[Result]) -> Verdict:
    """Tell the exponent with which the CPU of all grew between the two largest sizes."""
    small, large = sorted(results, key=lambda result: result.policies)[-2:]
    cost = [sum(result.cpu_cores.values()) for result in (small, large)]
    exponent = log(cost[1] / cost[0]) / log(large.policies / small.policies)
    goal = f"CPU grows at most linearly (exponent 1, up to {_GROWTH:g} within noise)"
    return Verdict(goal, f"{exponent:.2f}", exponent <= _GROWTH)
