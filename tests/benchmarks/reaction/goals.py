"""What the reaction must reach, and whether it does."""

from collections.abc import Iterator, Sequence
from typing import Final

from tests.benchmarks.reaction.measuring import Found
from tests.benchmarks.verdicts import Verdict

OURS: Final = "agentscaler"
_MANY: Final = 5000
_FAST_SECONDS: Final = 2.0
_COLD_SECONDS: Final = 10.0
_USUAL: Final = 1000


def judge(results: Sequence[Found]) -> Iterator[Verdict]:
    """Hold ours against each goal that the sizes which were run can tell of."""
    for found in results:
        if found.contender != OURS:
            continue
        if found.size == _USUAL:
            yield _cold(found)
        for reaction in found.reactions:
            if found.size == _MANY:
                yield _quick(found.size, reaction.interval, reaction.p99, reaction.interval + 1.0)
            if found.size == _USUAL and reaction.interval == 1:
                yield _quick(found.size, reaction.interval, reaction.p99, _FAST_SECONDS)


def _cold(found: Found) -> Verdict:
    goal = f"cold start of {found.size:,} policies below {_COLD_SECONDS:g} s"
    return Verdict(goal, f"{found.cold_seconds:.1f} s", found.cold_seconds < _COLD_SECONDS)


def _quick(size: int, interval: int, reached: float, most: float) -> Verdict:
    goal = f"p99 of {size:,} policies polling each {interval} s below {most:g} s"
    return Verdict(goal, f"{reached:.2f} s", reached < most)
