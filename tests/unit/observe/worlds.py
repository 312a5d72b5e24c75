"""Policies, results and a twin of Prometheus for the tests of observing."""

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


def _member(query: str) -> str:
    """Give what a union makes of a query."""
    return f"({query}\n)"


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
        members = sorted(
            (text for text in self.values if _member(text) in query),
            key=lambda text: query.index(_member(text)),
        )
        if not members:
            return Answer(read(self._result(query)))
        rows = [
            {**row, "metric": {**row["metric"], ASK_LABEL: str(place)}}
            for place, text in enumerate(members)
            for row in self._result(text)
        ]
        return Answer(read(rows))

    def _result(self, query: str) -> list[Any]:
        result = self.values[query]
        if isinstance(result, SourceError):
            raise result
        return result
