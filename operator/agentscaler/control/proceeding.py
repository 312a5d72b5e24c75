"""How a pass goes on with many policies: side by side, each alone with its failures.

Knows nothing of what is done for a policy.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from agentscaler.control.registry import Entry
from agentscaler.errors import ClusterError, ConflictError, LeadershipLostError
from agentscaler.report import logs

# About five milliseconds: the loop turns for probes, watches, the lease, and what was begun.
_AT_ONCE: Final = 10
_LOG: Final = logs.logger("agentscaler.cycle")

_T = TypeVar("_T")


class Works:
    """What is being done for policies, while it is still being decided about others."""

    def __init__(self) -> None:
        self._begun: list[tuple[Entry, asyncio.Task[None]]] = []

    def begin(self, entry: Entry, work: Coroutine[None, None, None]) -> None:
        """Do this for a policy, from the next turn of the loop on."""
        self._begun.append((entry, asyncio.create_task(work)))

    def cancel(self) -> None:
        """Leave undone what is not done yet."""
        for _, task in self._begun:
            task.cancel()

    async def ended(self) -> list[Entry]:
        """Wait until all is done; give the policies to look at again right away."""
        tasks = (task for _, task in self._begun)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        again = []
        for (entry, _), result in zip(self._begun, results, strict=True):
            with alone(entry):
                if isinstance(result, ConflictError):
                    _LOG.info("looked at again", policy=entry.key, why=str(result))
                    again.append(entry)
                elif result is not None:
                    raise result
        return again


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
