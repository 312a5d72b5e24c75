"""A Prometheus that knows the gauges of agents as a test shows them, and nothing else."""

from agentscaler import conventions
from tests.fakes.faulty_prometheus import Request

SHOWN = {
    "queue": conventions.QUEUE_DEPTH,
    "active": conventions.ACTIVE_REQUESTS,
    "capacity": conventions.CAPACITY,
}
_NOTHING = {"status": "success", "data": {"resultType": "matrix", "result": []}}


class Gauges:
    """Answers `serving` a query for all agents from a table, all others with an empty result.

    While `is_down` every query fails.
    """

    def __init__(self) -> None:
        self.is_down = False
        self._values: dict[tuple[str, str], dict[str, float]] = {}

    def show(self, agent: str, namespace: str = "agents", **values: float) -> None:
        """Show queue, active or capacity of an agent from now on."""
        self._values.setdefault((namespace, agent), {}).update(values)

    def __call__(self, request: Request) -> None:
        if self.is_down:
            request.refuse(503, "unavailable", "broken on purpose")
        elif "query_range" in request.path:
            request.answer_json(_NOTHING)
        else:
            request.result(*self._series(request.asked["query"]))

    def _series(self, query: str) -> list[dict[str, object]]:
        name = next((name for name, metric in SHOWN.items() if f"({metric})" in query), "")
        return [
            {"metric": {"namespace": namespace, "agent": agent}, "value": [0, str(values[name])]}
            for (namespace, agent), values in tuple(self._values.items())
            if name in values
        ]
