"""How fast the API server may be asked, and how long to wait after it failed."""

import random
from collections.abc import Callable

from agentscaler.clock import Clock


class Throttle:
    """Let `per_second` turns through on average and at most `burst` at once, in their order.

    `waited_seconds` is how long all callers together had to wait so far.
    """

    def __init__(self, clock: Clock, *, per_second: float, burst: int) -> None:
        self._clock = clock
        self._spacing = 1 / per_second
        self._slack = (burst - 1) / per_second
        self._next = 0.0
        self.waited_seconds = 0.0

    async def turn(self) -> None:
        """Wait until it is this caller's turn."""
        # One number instead of a bucket: the moment when the next turn is due at the steady rate,
        # which may lag behind now by as much as a burst takes.
        now = self._clock.monotonic()
        due = max(self._next, now - self._slack)
        self._next = due + self._spacing
        if due > now:
            self.waited_seconds += due - now
            await self._clock.sleep(due - now)


class Backoff:
    """Pauses that double from `first` to `longest` seconds, each shortened at random.

    The shortening, down to half, keeps many operators from coming back at the same moment.
    """

    def __init__(
        self, first: float = 0.5, longest: float = 30.0, chance: Callable[[], float] = random.random
    ) -> None:
        self._first = first
        self._longest = longest
        self._chance = chance
        self._pause = first

    def next_seconds(self) -> float:
        """Tell how long to wait now; the next wait will be longer."""
        pause = self._pause
        self._pause = min(self._longest, 2 * pause)
        return pause * (1 + self._chance()) / 2

    def reset(self) -> None:
        """Begin with the shortest pause again."""
        self._pause = self._first
