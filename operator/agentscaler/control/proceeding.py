"""How a pass goes on with many policies: side by side, each alone with its failures.

Knows nothing of what is done for a policy.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from functools import partial
from typing import Final, TypeAlias, TypeVar

from agentscaler.control.registry import Entry
from agentscaler.errors import ClusterError, ConflictError, LeadershipLostError
from agentscaler.report import logs

# About five milliseconds: the loop turns for probes, watches, the lease, and what was begun.
_AT_ONCE: Final = 10
_LOG: Final = logs.logger("agentscaler.cycle")

_T = TypeVar("_T")

Work: TypeAlias = Callable[[], Coroutine[None, None, "Work | None"]]
"""What is done for a policy; it may give what is left to be told of it."""


class Line(Enum):
    """Where what is to be done for a policy waits for its turn."""

    GROWTH = auto()
    RETREAT = auto()
    STATUS = auto()


# Each line has places of its own, so that growth finds one whatever else waits.
_MOST: Final = {Line.GROWTH: 16, Line.RETREAT: 8, Line.STATUS: 16}
# Statuses get no more while something grows: they make the API server slow for it.
_BESIDE_GROWTH: Final = 2
PLACES: Final = sum(_MOST.values()) + 8
"""Requests at once that one connection has to serve: those of all lines, Events, lists."""


class Works:
    """What is done for policies beside the passes; for each of them one thing at a time.

    `hold` is told of a policy when something begins, `release` when that has ended, and whether to
    look at the policy again right away. Between the two it may not be decided on.
    """

    def __init__(
        self, hold: Callable[[Entry], None], release: Callable[[Entry, bool], None]
    ) -> None:
        self._hold = hold
        self._release = release
        self._waiting: dict[Line, dict[str, tuple[Entry, Work]]] = {line: {} for line in Line}
        self._running: dict[Line, set[asyncio.Task[Work | None]]] = {line: set() for line in Line}
        self._busy: set[str] = set()
        self._away: set[str] = set()
        self._wanted: set[str] = set()
        self._lost: LeadershipLostError | None = None

    def begin(self, line: Line, entry: Entry, work: Work) -> None:
        """Do this for a policy, of which nothing else is begun, when it is its turn."""
        self._waiting[line][entry.key] = entry, work
        self._go_on(line)

    def withdraw(self, keys: Iterable[str]) -> None:
        """Leave undone what still waits for these policies: they are decided on anew."""
        for key in keys:
            for waiting in self._waiting.values():
                waiting.pop(key, None)

    def free(self, entries: Iterable[Entry]) -> list[Entry]:
        """Give those for which nothing is under way; what still waits for them is withdrawn."""
        free = [entry for entry in entries if not self._is_held(entry.key)]
        self.withdraw(entry.key for entry in free)
        return free

    def hold(self, entry: Entry) -> None:
        """Leave a policy out of the passes until it is let go."""
        self._away.add(entry.key)
        self._hold(entry)

    def let_go(self, entry: Entry, *, again: bool) -> None:
        """Take a policy into the passes again, once nothing is done for it."""
        self._away.discard(entry.key)
        self._take_back(entry, again=again)

    async def ended(self, *lines: Line) -> None:
        """Wait until all is done, or all in these lines; raise LeadershipLostError."""
        while tasks := [task for line in lines or Line for task in self._running[line]]:
            await asyncio.wait(tasks)
        self.check()

    def check(self) -> None:
        """Raise LeadershipLostError if something was not done for that reason."""
        if self._lost is not None:
            raise self._lost

    async def cancel(self) -> None:
        """Leave undone what is not done yet."""
        for waiting in self._waiting.values():
            waiting.clear()
        tasks = [task for running in self._running.values() for task in running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _go_on(self, line: Line) -> None:
        waiting, running = self._waiting[line], self._running[line]
        while waiting and len(running) < self._places(line):
            entry, work = waiting.pop(next(iter(waiting)))
            self._busy.add(entry.key)
            self._hold(entry)
            task = asyncio.create_task(work())
            running.add(task)
            task.add_done_callback(partial(self._end, line, entry))

    def _places(self, line: Line) -> int:
        if line is Line.STATUS and (self._running[Line.GROWTH] or self._waiting[Line.GROWTH]):
            return _BESIDE_GROWTH
        return _MOST[line]

    def _end(self, line: Line, entry: Entry, task: "asyncio.Task[Work | None]") -> None:
        self._running[line].remove(task)
        self._busy.discard(entry.key)
        self._take_back(entry, again=self._is_wanted_again(entry, task))
        if not task.cancelled() and task.exception() is None and (left := task.result()):
            self._waiting[Line.STATUS][entry.key] = entry, left
        self._go_on(line)
        self._go_on(Line.STATUS)

    def _take_back(self, entry: Entry, *, again: bool) -> None:
        if again:
            self._wanted.add(entry.key)
        if not self._is_held(entry.key):
            self._release(entry, entry.key in self._wanted)
            self._wanted.discard(entry.key)

    def _is_held(self, key: str) -> bool:
        return key in self._busy or key in self._away

    def _is_wanted_again(self, entry: Entry, task: "asyncio.Task[Work | None]") -> bool:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ConflictError):
            _LOG.info("looked at again", policy=entry.key, why=str(error))
            return True
        if isinstance(error, LeadershipLostError):
            self._lost = error
        elif error is not None:
            with alone(entry):
                raise error
        return False


async def _turn() -> None:
    await asyncio.sleep(0)


async def in_turns(
    these: Iterable[_T], pause: Callable[[], Awaitable[None]] = _turn
) -> AsyncIterator[_T]:
    """Give one by one, and pause now and then, so that the loop turns."""
    for number, each in enumerate(these, start=1):
        yield each
        if number % _AT_ONCE == 0:
            await pause()


@contextmanager
def alone(entry: Entry) -> Iterator[None]:
    """Let what fails for one policy fail for this one only: it is tried again at the next poll."""
    try:
        yield
    except LeadershipLostError:
        raise
    except ClusterError as exc:
        _LOG.warning("policy not served", policy=entry.key, error=str(exc))
    except Exception as exc:  # noqa: BLE001 - a defect; the other policies have none of it
        _LOG.error("policy failed", policy=entry.key, exc_info=exc)
