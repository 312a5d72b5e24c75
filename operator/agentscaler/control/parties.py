"""The parties of a pass: policies that ask the same server, served beside those of others."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Final, TypeAlias

from agentscaler.control.proceeding import Works
from agentscaler.control.registry import Entry
from agentscaler.errors import LeadershipLostError
from agentscaler.observe.sources import OWN, Group
from agentscaler.report import logs

# Servers answer within this; what is later goes on beside the next passes.
_PATIENCE_SECONDS: Final = 1.0
_LOG: Final = logs.logger("agentscaler.cycle")

Party: TypeAlias = tuple[list[Entry], list[Entry]]
"""Policies that are due, and such that are busy, of one group."""
Serve: TypeAlias = Callable[[list[Entry], list[Entry]], Coroutine[None, None, None]]


class Parties:
    """Serves parties, one of a group at a time, and holds the policies of those that are late."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._served: dict[Group, asyncio.Task[None]] = {}
        self._late: set[Group] = set()

    async def serve(self, parties: Mapping[Group, Party], serve: Serve) -> None:
        """Serve that of the operator's own server to its end, and wait a second for the others.

        Who asks a server that keeps an earlier party waiting is looked at when that has ended, and
        one that was late is not waited for until it was in time again.
        """
        for group in self._served.keys() & parties.keys():
            self._hold(parties[group][0], self._served[group], again=True)
        begun = {
            group: asyncio.create_task(serve(*party))
            for group, party in parties.items()
            if group not in self._served
        }
        self._served |= begun
        for group, task in begun.items():
            task.add_done_callback(partial(self._end, group, asyncio.get_running_loop().time()))
        try:
            in_time = [task for group, task in begun.items() if group not in self._late]
            await _wait(in_time, begun.get(OWN))
        except asyncio.CancelledError:
            for task in begun.values():
                task.cancel()
            raise
        for group, task in begun.items():
            self._note(group, parties[group], task)

    def _note(self, group: Group, party: Party, task: asyncio.Task[None]) -> None:
        """Go on with what follows from a party that is over, or else late."""
        if task.done():
            task.result()
        else:
            self._late.add(group)
            self._hold(party[0], task, again=False)
            task.add_done_callback(_tell_of_a_defect)

    async def ended(self) -> None:
        """Wait for those that are late."""
        while self._served:
            await asyncio.wait(self._served.values())

    async def cancel(self) -> None:
        """Break off what is not done yet."""
        tasks = list(self._served.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _hold(self, entries: Iterable[Entry], task: asyncio.Task[None], *, again: bool) -> None:
        for entry in entries:
            self._works.hold(entry)
        task.add_done_callback(partial(self._let_go, entries, again))

    def _let_go(self, entries: Iterable[Entry], again: bool, _task: asyncio.Task[None]) -> None:
        for entry in entries:
            self._works.let_go(entry, again=again or entry.gone)  # the gone are to be forgotten

    def _end(self, group: Group, began: float, _task: asyncio.Task[None]) -> None:
        del self._served[group]
        if asyncio.get_running_loop().time() - began < _PATIENCE_SECONDS:
            self._late.discard(group)


def _tell_of_a_defect(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, LeadershipLostError):
        _LOG.error("late policies failed", exc_info=error)


async def _wait(tasks: Iterable[asyncio.Task[None]], own: asyncio.Task[None] | None) -> None:
    """Wait until our own is done, and a second at most for the others."""
    tasks = tuple(tasks)
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=_PATIENCE_SECONDS)
    if own is not None and own in late:
        await asyncio.wait({own})
