"""A Prometheus that knows the gauges of agents as a test shows them, and nothing else."""

from collections.abc import Iterator

from agentscaler import conventions
from tests.fakes.faulty_prometheus import Request, Respond

SHOWN = {
    "queue": conventions.QUEUE_DEPTH,
    "active": conventions.ACTIVE_REQUESTS,
    "capacity": conventions.CAPACITY,
}
_BY_POD = "by (namespace, agent, pod)"
_NOTHING = {"status": "success", "data": {"resultType": "matrix", "result": []}}


class Gauges:
    """Answers `serving` a query for all agents from a table, all others with an empty result.

    While `is_down` every query fails. `by_pod` has the requests in flight of each pod of the agent
    "agent", and the time of the sample; while `pods_down` that query fails.
    A `fault` answers in place of all this.
    """

    def __init__(self) -> None:
        self.is_down = False
        self.pods_down = False
        self.fault: Respond | None = None
        self.by_pod: dict[str, tuple[float, float]] = {}
        self._values: dict[tuple[str, str], dict[str, float]] = {}

    def show(self, agent: str, namespace: str = "agents", **values: float) -> None:
        """Show queue, active or capacity of an agent from now on."""
        self._values.setdefault((namespace, agent), {}).update(values)

    def __call__(self, request: Request) -> None:
        if self.fault is not None:
            self.fault(request)
        elif self.is_down or (self.pods_down and _BY_POD in request.asked["query"]):
            request.refuse(503, "unavailable", "broken on purpose")
        elif "query_range" in request.path:
            request.answer_json(_NOTHING)
        else:
            request.result(*self._series(request.asked["query"]))

    def _series(self, query: str) -> list[dict[str, object]]:
        if _BY_POD in query:
            return [*self._of_pods()]
        name = next((name for name, metric in SHOWN.items() if f"({metric})" in query), "")
        return [
            {"metric": {"namespace": namespace, "agent": agent}, "value": [0, str(values[name])]}
            for (namespace, agent), values in tuple(self._values.items())
            if name in values
        ]

    def _of_pods(self) -> Iterator[dict[str, object]]:
        for pod, (value, sampled) in tuple(self.by_pod.items()):
            labels = {"namespace": "agents", "agent": "agent", "pod": pod}
            yield {"metric": labels, "value": [0, str(value)]}
            yield {"metric": {**labels, "asp_sampled": "1"}, "value": [0, str(sampled)]}
