"""A Deployment with pods in the fake API server, removed as its ReplicaSet would remove them."""

from datetime import timedelta
from typing import Any

from agentscaler import conventions
from tests.fakes.cluster import EAGER
from tests.fakes.leadership import Leader
from tests.fakes.objects import Body


class Fleet:
    """The pods of the Deployment `agent`; `follow` does what its ReplicaSet would."""

    def __init__(self, leader: Leader) -> None:
        self.leader = leader
        self.objects = leader.server.objects
        self.unready: set[str] = set()

    def start(self, in_flight: dict[str, float], *, detachable: bool = False, **spec: Any) -> None:
        """Have these pods, idle as a fleet, and a policy that protects the busy among them."""
        labels = {"app": "agent"}
        if detachable:
            labels[conventions.SERVING_LABEL] = "true"
        for name in in_flight:
            self.put(name, labels)
        self.leader.agent(replicas=len(in_flight))
        self.serve(in_flight)
        self.leader.policy(**{"drain": {}, "demand": EAGER, **spec})

    def put(self, name: str, labels: dict[str, str]) -> None:
        """Have a pod that is ready."""
        metadata = {"namespace": "agents", "name": name, "labels": labels}
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        self.objects.put("pods", {"metadata": metadata, "status": status})

    def serve(self, in_flight: dict[str, float], *, later: float = 0) -> None:
        """Show so many requests in flight, sampled so much later than now."""
        at = (self.leader.clock.date + timedelta(seconds=later)).timestamp()
        gauges = self.leader.gauges
        gauges.by_pod = {name: (value, at) for name, value in in_flight.items()}

    def follow(self) -> None:
        """Remove as many pods as are too many: unready ones, then those of the lowest cost."""
        in_order = sorted(
            self.names(), key=lambda name: (name not in self.unready, self._rank(name))
        )
        for name in in_order[: max(0, len(in_order) - self.leader.replicas())]:
            self.objects.remove("pods", "agents", name)
        self.leader.settle()

    def names(self) -> list[str]:
        return sorted(name for _, name in self.objects.all("pods"))

    def cost(self, name: str) -> str | None:
        return self._annotations(name).get(conventions.DELETION_COST)

    def _rank(self, name: str) -> tuple[bool, int]:
        return name not in self.unready, int(self.cost(name) or 0)

    def is_marked(self, name: str) -> bool:
        return self.marked_at(name) is not None

    def marked_at(self, name: str) -> str | None:
        return self._annotations(name).get(conventions.DRAINING_ANNOTATION)

    def serving(self, name: str) -> str | None:
        labels: dict[str, str] = self._metadata(name).get("labels", {})
        return labels.get(conventions.SERVING_LABEL)

    def _annotations(self, name: str) -> dict[str, str]:
        found: dict[str, str] = self._metadata(name).get("annotations") or {}
        return found

    def _metadata(self, name: str) -> Body:
        metadata: Body = self.objects.get("pods", "agents", name)["metadata"]
        return metadata


async def passes(fleet: Fleet, count: int = 3, after: float = 1) -> None:
    for _ in range(count):
        await fleet.leader.run_pass(after=after)
        fleet.follow()
