"""When each policy is due: all policies of one interval together, new and changed ones at once.

One pass serves all that are due, because the metrics of a thousand policies cost one query. The
start of the rounds is shifted at random for each process, so that operators do not ask in step.
A policy for which something is being done is held, and not taken until it is released; a round can
take those that are held when it begins apart, for they may be free before it decides.
"""

import heapq
from collections.abc import Iterable
from math import floor, inf


class Schedule:
    """The due times of all policies, in seconds of a monotonic clock."""

    def __init__(self, phase: float) -> None:
        self._phase = phase
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._held: set[str] = set()
        self._wanted: set[str] = set()  # out of turn

    def at_once(self, key: str, now: float) -> None:
        """Make a policy due now, unless it is already overdue."""
        self._wanted.add(key)
        self._set(key, min(now, self._due.get(key, now)))

    def after(self, key: str, interval: float, now: float) -> None:
        """Make a policy due at the next round of its interval, unless it is due earlier."""
        rounds = floor((now - self._phase) / interval) + 1
        due = self._phase + rounds * interval
        self._set(key, min(due, self._due.get(key, due)))

    def forget(self, key: str) -> None:
        """Drop a policy."""
        self._due.pop(key, None)
        self._wanted.discard(key)

    def take_due(self, now: float) -> list[str]:
        """Give the policies that are due, which are scheduled no more until told so again."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            at, key = heapq.heappop(self._heap)
            if self._is_meant(at, key):
                self.forget(key)
                due.append(key)
        return due

    def take_held(self, now: float) -> list[str]:
        """Give the held policies whose round this is, which are scheduled no more then.

        Those that are wanted out of turn stay due: they are taken as soon as they are released.
        """
        due = [key for key in self._held - self._wanted if self._due.get(key, inf) <= now]
        for key in due:
            self.forget(key)
        return due

    def hold(self, key: str) -> None:
        """Let a policy not be taken, whenever it is due."""
        self._held.add(key)

    def release(self, key: str) -> None:
        """Let a policy be taken again when it is due, which may have been long ago."""
        self._held.discard(key)
        if key in self._due:
            heapq.heappush(self._heap, (self._due[key], key))

    def next_due(self) -> float | None:
        """Tell when the next policy is due."""
        while self._heap and not self._is_meant(*self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def keys(self) -> Iterable[str]:
        """Give all policies that have a due time."""
        return self._due.keys()

    def _set(self, key: str, at: float) -> None:
        if self._due.get(key) != at:
            self._due[key] = at
            heapq.heappush(self._heap, (at, key))

    def _is_meant(self, at: float, key: str) -> bool:
        return self._due.get(key) == at and key not in self._held
