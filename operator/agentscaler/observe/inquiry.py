"""Put a plan to one server: all grouped queries, then the unions, then the queries apart.

Each query fails alone. What a server refuses is traced to the query it is about.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar

from agentscaler.decide.snapshot import Reading
from agentscaler.errors import BadQueryError, SourceError
from agentscaler.observe import answers, unions
from agentscaler.observe.asks import Custom, Plan
from agentscaler.observe.expressions import Grouped
from agentscaler.observe.failures import HeavyQueryError, SlowQueryError, missing_of
from agentscaler.observe.prometheus import Answer, Caller, Prometheus
from agentscaler.observe.readings import Answers
from agentscaler.observe.transport import TooLargeError
from agentscaler.observe.unions import Suspects

Members: TypeAlias = Sequence[Custom]
T = TypeVar("T")

# A query of a user gives one series, of a kilobyte; the answers for all agents may be large.
MOST_CUSTOM_BYTES: Final = 1024 * 1024

# Queries may be too much only together: no half of them is to blame.
_TOO_MUCH: Final = (SlowQueryError, HeavyQueryError, TooLargeError)


class Inquiry:
    """One pass over one server, on behalf of one caller."""

    def __init__(
        self, prometheus: Prometheus, caller: Caller, at: datetime, suspects: Suspects
    ) -> None:
        self._prometheus = prometheus
        self._caller = caller
        self._apart = replace(caller, most_bytes=MOST_CUSTOM_BYTES)
        self._at = at
        self._suspects = suspects
        self._answers = Answers(at.timestamp())

    async def put(self, plan: Plan) -> Answers:
        """Ask everything of the plan; failures become Missing, nothing is raised for them."""
        groups = [self._put_grouped(each) for each in plan.grouped]
        batches = unions.batches(plan.custom, self._suspects)
        # The order is that of the threads: what serves most policies goes out first.
        await asyncio.gather(*groups, *(self._put_union(batch) for batch in batches))
        return self._answers

    async def _put_grouped(self, grouped: Grouped) -> None:
        try:
            answer = await self._ask(self._caller, grouped.query, answers.table_of)
        except SourceError as exc:
            self._answers.grouped[grouped.query] = missing_of(exc)
        else:
            self._answers.grouped[grouped.query] = answer.content
            self._warn([grouped.query], answer.warning)

    async def _put_union(self, members: Members, *, spoilt: bool = False) -> None:
        """Ask several queries at once; `spoilt` if one of them is known to be refused."""
        try:
            answer = await self._ask(self._apart, unions.compose(members), _reader(members))
        except (BadQueryError, *_TOO_MUCH) as exc:
            await self._trace(members, exc)
        except SourceError as exc:
            self._fail(members, exc)
            if spoilt:  # no time to find the culprit: next time they are asked apart
                self._accuse(members)
        else:
            self._answers.custom.update(answer.content)
            self._warn([custom.query for custom in members], answer.warning)
            for custom in members:
                self._suspects.acquit(custom.query)

    async def _trace(self, members: Members, error: SourceError) -> None:
        """Find which of the members the error is about."""
        if len(members) == 1:
            self._accuse(members)
            self._fail(members, error)
            return
        parts: list[Members]
        if isinstance(error, _TOO_MUCH):
            self._accuse(members)
            parts = [[custom] for custom in members]
        else:
            half = len(members) // 2
            parts = [members[:half], members[half:]]
        await asyncio.gather(*(self._put_union(part, spoilt=True) for part in parts))

    async def _ask(self, caller: Caller, query: str, read: Callable[[list[Any]], T]) -> Answer[T]:
        return await self._prometheus.instant(query, caller, self._at, read)

    def _fail(self, members: Members, error: SourceError) -> None:
        self._answers.custom.update(
            dict.fromkeys((custom.query for custom in members), missing_of(error))
        )

    def _accuse(self, members: Members) -> None:
        for custom in members:
            self._suspects.accuse(custom.query)

    def _warn(self, queries: Iterable[str], warning: str) -> None:
        if warning:
            self._answers.warnings.update(dict.fromkeys(queries, warning))


def _reader(members: Members) -> Callable[[list[Any]], dict[str, Reading]]:
    def read(result: list[Any]) -> dict[str, Reading]:
        parts = unions.sort_out(result, members)
        return {query: answers.number_of(part) for query, part in parts.items()}

    return read
