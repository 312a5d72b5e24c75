"""The only reader of time.

Pure packages take `now` as an argument; shells are given a `Clock`. Wall time dates records and
follows schedules, monotonic time measures waits: the first may jump, the second may not.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Protocol


class Clock(Protocol):
    """What a shell may ask about time."""

    def now(self) -> datetime:
        """Tell the wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Tell the seconds since some fixed past moment; never runs backwards, nor stands still."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


def _monotonic() -> Callable[[], float]:
    """Give the monotonic clock that, where there is one, also counts while the machine sleeps."""
    if sys.platform == "linux":
        return partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    return time.monotonic


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    # The function itself: a service asks twice a request, and a frame around it costs as much.
    monotonic = staticmethod(_monotonic())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
