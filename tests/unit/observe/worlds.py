"""Policies, results and a twin of Prometheus for the tests of observing."""

import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from agentscaler.api.policy import Policy, parse_policy
from agentscaler.errors import SourceError
from agentscaler.observe.prometheus import Answer, Caller
from agentscaler.observe.unions import ASK_LABEL

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
T = TypeVar("T")


def policy(name: str = "research", *, namespace: str = "agents", **spec: Any) -> Policy:
    """Give a policy of the demand strategy on a Deployment of its own name."""
    metadata = {
        "namespace": namespace,
        "name": name,
        "uid": f"uid-of-{namespace}-{name}",
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return parse_policy({"metadata": metadata, "spec": {"scaleTargetRef": {"name": name}, **spec}})


def metric(name: str, query: str, **more: Any) -> dict[str, Any]:
    """Give a custom metric."""
    return {"name": name, "query": query, "target": {"perReplica": 10}, **more}


def series(value: object, **labels: str) -> dict[str, Any]:
    """Give one series of an instant result."""
    return {"metric": labels, "value": [NOON.timestamp(), str(value)]}


class TwinOfPrometheus:
    """Answers queries from a table, refuses a union for any of its members, and keeps count.

    `values` are the results of queries, or the errors they lead to.
    """

    def __init__(self, values: Mapping[str, list[Any] | SourceError]) -> None:
        self.values = values
        self.queries: list[str] = []

    async def instant(
        self, query: str, _caller: Caller, _at: datetime, read: Callable[[list[Any]], T]
    ) -> Answer[T]:
        """Answer as a server would."""
        self.queries.append(query)
        known = [text for text in self.values if f"({text}\n)" in query]
        if not known:
            return Answer(read(self._result(query)))
        results = [(place, self._result(text)) for place, text in enumerate(self._in_order(query))]
        return Answer(
            read(
                list(
                    itertools.chain.from_iterable(
                        [
                            {**row, "metric": {**row["metric"], ASK_LABEL: str(place)}}
                            for row in rows
                        ]
                        for place, rows in results
                    )
                )
            )
        )

    def _in_order(self, query: str) -> list[str]:
        found = [text for text in self.values if f"({text}\n)" in query]
        return sorted(found, key=lambda text: query.index(f"({text}\n)"))

    def _result(self, query: str) -> list[Any]:
        result = self.values[query]
        if isinstance(result, SourceError):
            raise result
        return result
