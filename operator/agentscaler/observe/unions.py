"""Queries of users, put several at a time: fewer questions, and none spoils another's answer.

Pure. A union joins queries with `or`, each marked with its place in the union. The server refuses a
union as a whole, so whoever asks splits a refused one until the culprit stands alone; `Suspects`
remembers the culprits, which from then on are asked alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote_plus

from agentscaler.observe.asks import Custom
from agentscaler.promql import Shape

ASK_LABEL: Final = "asp_ask"

# Measured: a thousand queries took 0.36 s by 25, 0.64 s by 10 and 0.48 s by 100.
MOST_MEMBERS: Final = 25
# Ingresses refuse request lines of more than 8 KB, some of 4 KB. This is the encoded query; path
# and parameters take up to 300 bytes more.
MOST_BYTES: Final = 3700

# Good answers in a row after which a suspect may join unions again.
PROBATION: Final = 20
_MOST_SUSPECTS: Final = 10_000


class Suspects:
    """Queries that spoiled a union, by the good answers that they still owe."""

    def __init__(self) -> None:
        self._owed: dict[str, int] = {}

    def __contains__(self, query: str) -> bool:
        return query in self._owed

    def accuse(self, query: str) -> None:
        """Have a query asked alone from now on."""
        self._owed.pop(query, None)
        self._owed[query] = PROBATION
        if len(self._owed) > _MOST_SUSPECTS:  # queries of policies that are gone, oldest first
            del self._owed[next(iter(self._owed))]

    def acquit(self, query: str) -> None:
        """Count a good answer of a query; enough of them end the suspicion."""
        owed = self._owed.get(query)
        if owed is None:
            return
        if owed == 1:
            del self._owed[query]
        else:
            self._owed[query] = owed - 1


def batches(asked: Iterable[Custom], suspects: Suspects) -> list[tuple[Custom, ...]]:
    """Gather queries into unions, in their order; those to be asked alone come last."""
    unions: list[tuple[Custom, ...]] = []
    alone: list[tuple[Custom, ...]] = []
    union: list[Custom] = []
    size = 0
    for custom in asked:
        if custom.shape is None or custom.query in suspects:
            alone.append((custom,))
            continue
        extent = len(quote_plus(_member(custom, MOST_MEMBERS))) + len("+or+")
        if union and (len(union) == MOST_MEMBERS or size + extent > MOST_BYTES):
            unions.append(tuple(union))
            union, size = [], 0
        union.append(custom)
        size += extent
    if union:
        unions.append(tuple(union))
    return unions + alone


def compose(members: Sequence[Custom]) -> str:
    """Write the query of a union; a single member is asked as it was written."""
    if len(members) == 1:
        return members[0].query
    return " or ".join(_member(custom, place) for place, custom in enumerate(members))


def sort_out(result: list[Any], members: Sequence[Custom]) -> dict[str, list[Any]]:
    """Give each member of a union its own part of the result."""
    if len(members) == 1:
        return {members[0].query: result}
    parts: dict[str, list[Any]] = {custom.query: [] for custom in members}
    for series in result:
        parts[members[int(series["metric"][ASK_LABEL])].query].append(series)
    return parts


def _member(custom: Custom, place: int) -> str:
    # The line break ends a comment that the query may end with.
    open_ = "vector(" if custom.shape is Shape.SCALAR else "("
    return f'label_replace({open_}{custom.query}\n), "{ASK_LABEL}", "{place}", "", "")'
