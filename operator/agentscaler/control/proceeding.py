"""How a pass goes on with many policies: side by side, each alone with its failures.

Knows nothing of what is done for a policy.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar

from agentscaler.control.registry import Entry
from agentscaler.errors import ClusterError, ConflictError, LeadershipLostError
from agentscaler.report import logs

# About five milliseconds: the loop turns for probes, watches, the lease, and what was begun.
_AT_ONCE: Final = 10
_LOG: Final = logs.logger("agentscaler.cycle")

_T = TypeVar("_T")


class Works:
    """What is being done for policies while others are decided on; of each, one thing at a time.

    `settled` is told of a policy once that is done, and whether to look at it again right away.
    """

    def __init__(self, settled: Callable[[Entry, bool], None]) -> None:
        self._settled = settled
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lost: LeadershipLostError | None = None

    def __contains__(self, entry: Entry) -> bool:
        return entry.key in self._tasks

    def begin(self, entry: Entry, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        """Do this for a policy, from the next turn of the loop on."""
        self._tasks[entry.key] = task = asyncio.create_task(work)
        task.add_done_callback(partial(self._end, entry))
        return task

    async def ended(self) -> None:
        """Wait until all is done; raise LeadershipLostError if that came in between."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())
        self.check()

    def check(self) -> None:
        """Raise LeadershipLostError if something was not done for that reason."""
        if self._lost is not None:
            raise self._lost

    async def cancel(self) -> None:
        """Leave undone what is not done yet."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, entry: Entry, task: "asyncio.Task[None]") -> None:
        del self._tasks[entry.key]
        self._settled(entry, self._is_wanted_again(entry, task))

    def _is_wanted_again(self, entry: Entry, task: "asyncio.Task[None]") -> bool:
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


async def in_turns(these: Iterable[_T]) -> AsyncIterator[_T]:
    """Give one by one, and let the loop turn now and then."""
    for number, each in enumerate(these, start=1):
        yield each
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)


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
