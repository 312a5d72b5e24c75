"""`python -m tests.benchmarks.runtime`: what the runtime kit costs, in about a minute.

The goal is at most 5 % fewer requests a second than the same service without it, and a cost per
request that does not depend on the number of sessions. Exits with 1 if the first is missed.
"""

import sys
from importlib.util import find_spec
from typing import Final

from tests.benchmarks.runtime import overhead, sessions

GOAL_RATIO: Final = 0.95


def main() -> int:
    """Measure and print; the fast parts of uvicorn make the hardest case, where installed."""
    fast = [name for name in ("httptools", "uvloop") if find_spec(name)]
    print(f"uvicorn with {' and '.join(fast) or 'h11 and asyncio'}")
    print("app      req/s without  with    ratio   CPU us/request without  with   added")
    met = True
    for kind in ("fastapi", "bare"):
        seen = overhead.measured(kind)
        print(
            f"{seen.kind:8} {seen.rate_without:13.0f} {seen.rate_with:7.0f} {seen.rate_ratio:7.3f}",
            f"{seen.cpu_without:22.1f} {seen.cpu_with:6.1f} {seen.cpu_added:7.1f}",
        )
        if kind == "fastapi":
            met = seen.rate_ratio >= GOAL_RATIO
    print(f"goal: ratio at least {GOAL_RATIO} for a FastAPI handler: {'met' if met else 'missed'}")
    print("\nsessions  us per use (load, change, save; in memory)")
    for count, micros in sessions.measured().items():
        print(f"{count:8} {micros:6.1f}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
