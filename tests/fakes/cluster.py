"""Policies, agents and their load in the fake API server and the fake Prometheus."""

from typing import Any

from agentscaler import conventions
from tests.fakes.apiserver import FakeApiServer
from tests.fakes.gauges import Gauges
from tests.fakes.objects import Body

SLOTS = 4
POLICY_STATUS = f"{conventions.PLURAL}/status"
SCALE = "deployments/scale"
WRITES = frozenset({"create", "update", "patch"})
# A load is followed at once and all the way, up and down.
EAGER = {
    "scaleUp": {"cooldown": "0s", "maxStep": 50},
    "scaleDown": {"cooldown": "1s", "maxStep": 50},
}


class FakeCluster:
    """What users do and see; everything lives in the namespace `agents`."""

    def __init__(self, server: FakeApiServer, gauges: Gauges) -> None:
        self.server = server
        self.gauges = gauges

    def agent(self, name: str = "agent", replicas: int = 1, **load: float) -> None:
        """Have an agent with that load, or change it; all its replicas are ready."""
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"type": "RollingUpdate"},
        }
        metadata = {**_metadata(name), "uid": f"uid-of-deployment-{name}"}
        self.server.objects.put("deployments", {"metadata": metadata, "spec": spec})
        self.settle(name)
        self.load(name, **load)

    def busy(self, *names: str) -> None:
        """Have agents that need more than five replicas each, and a policy for each."""
        for name in names:
            self.agent(name, queue=20)
            self.policy(name)

    def load(self, name: str = "agent", *, queue: float = 0, active: float = 0) -> None:
        """Show so many requests waiting and in service, and the slots of the ready replicas."""
        ready = self.server.objects.get("deployments", "agents", name)["status"]["readyReplicas"]
        self.gauges.show(name, queue=queue, active=active, capacity=SLOTS * ready)

    def settle(self, name: str = "agent") -> None:
        """Have all replicas that are asked for ready."""
        body = self.server.objects.get("deployments", "agents", name)
        counts = dict.fromkeys(
            ("replicas", "readyReplicas", "updatedReplicas"), body["spec"]["replicas"]
        )
        self.server.objects.merge("deployments", ("agents", name), {"status": counts})
        self.gauges.show(name, capacity=SLOTS * body["spec"]["replicas"])

    def set_replicas(self, count: int, name: str = "agent", manager: str = "kubectl-edit") -> None:
        """Set the count as somebody else, whom the managed fields name."""
        writer = {"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        self.server.objects.merge(
            "deployments",
            ("agents", name),
            {"metadata": {"managedFields": [writer]}, "spec": {"replicas": count}},
        )

    def policy(self, name: str = "agent", *, minute: int = 0, uid: str = "", **spec: Any) -> Body:
        """Apply a policy that was made at that minute; it polls every second, without forecast."""
        metadata = {**_metadata(name), "creationTimestamp": f"2026-03-02T11:{minute:02}:00Z"}
        if uid:
            metadata["uid"] = uid
        base = {
            "scaleTargetRef": {"name": name},
            "pollingInterval": "1s",
            "maxReplicas": 50,
            "prediction": {"mode": "Off"},
            "demand": EAGER,
        }
        if "threshold" in spec:
            del base["demand"]
        body = {
            "apiVersion": conventions.API_VERSION,
            "kind": conventions.KIND,
            "metadata": metadata,
            "spec": {**base, **spec},
        }
        present = self.server.objects.all(conventions.PLURAL).get(("agents", name))
        if present and present["metadata"]["uid"] == metadata.get("uid", f"uid-{name}"):
            body["status"] = present.get("status", {})  # whoever applies a spec leaves it alone
        return self.server.objects.put(conventions.PLURAL, body)

    def delete_policy(self, name: str = "agent") -> None:
        self.server.objects.remove(conventions.PLURAL, "agents", name)

    def replicas(self, name: str = "agent") -> int:
        count: int = self.server.objects.get("deployments", "agents", name)["spec"]["replicas"]
        return count

    def status(self, name: str = "agent") -> Body:
        body = self.server.objects.get(conventions.PLURAL, "agents", name)
        status: Body = body.get("status") or {}
        return status

    def conditions(self, name: str = "agent") -> dict[str, tuple[str, str]]:
        """Give status and reason of each condition, by its type."""
        return {
            each["type"]: (each["status"], each["reason"])
            for each in self.status(name)["conditions"]
        }

    def history(self, name: str = "agent") -> list[Body]:
        """Give the scalings on record, newest first."""
        past: list[Body] = self.status(name).get("history", [])
        return past

    def events(self, reason: str) -> list[Body]:
        posted = self.server.objects.all("events").values()
        return [event for event in posted if event["reason"] == reason]

    def holder(self) -> str:
        """Name who holds the Lease; empty for nobody."""
        leases = self.server.objects.all("leases").values()
        return "".join(lease["spec"]["holderIdentity"] for lease in leases)

    def writes(self) -> list[tuple[str, str]]:
        """Give the writes so far, but for those of the Lease."""
        return [each for each in self.server.requests if each[0] in WRITES and each[1] != "leases"]


def _metadata(name: str) -> Body:
    return {"namespace": "agents", "name": name}
