"""A namespace with an agent Deployment, its policy and its played load, and what is seen."""

import json
import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from agentscaler import conventions
from tests.bed import Bed
from tests.bed.fleet import AgentConfig, Fleet
from tests.bed.images import BED_IMAGE
from tests.bed.processes import wait_until

SYSTEM_NAMESPACE = "agentscaler-e2e"
SLOTS = 4
# Where the time is the point, the test says it; a slow machine needs up to half of this.
PATIENCE = 60.0  # seconds

Document = dict[str, Any]


class World:
    """One namespace; `agent` is the Deployment and `agent` the policy, unless said otherwise.

    While something is waited for, `attend` is called again and again.
    """

    def __init__(
        self,
        bed: Bed,
        fleet: Fleet,
        namespace: str = "",
        *,
        attend: Callable[[], None] = lambda: None,
    ) -> None:
        self.bed = bed
        self.fleet = fleet
        self.namespace = namespace or f"e2e-{uuid.uuid4().hex[:8]}"
        self._attend = attend
        bed.kubectl("create", "namespace", self.namespace)

    def close(self) -> None:
        """Remove it, without waiting."""
        self.bed.kubectl("delete", "namespace", self.namespace, "--wait=false")

    def agent(self, name: str = "agent", *, replicas: int = 1) -> None:
        """Start an agent Deployment and wait until it is ready."""
        self.apply(deployment(name, replicas))
        self.kubectl("rollout", "status", f"deployment/{name}", "--timeout=60s")
        self.fleet.put(AgentConfig(namespace=self.namespace, name=name, slots=SLOTS))

    def policy(self, name: str = "agent", target: str | None = None, **spec: Any) -> None:
        """Apply a policy that polls every second and does not look ahead, unless `spec` says so."""
        base = {
            "scaleTargetRef": {"name": target or name},
            "pollingInterval": "1s",
            "maxReplicas": 20,
            "prediction": {"mode": "Off"},
        }
        self.apply(
            {
                "apiVersion": conventions.API_VERSION,
                "kind": conventions.KIND,
                "metadata": {"name": name},
                "spec": {**base, **spec},
            }
        )

    def pin(self, agent: str = "agent", **signals: float | str | None) -> None:
        """Have the agent show these instead of the truth: queue, active, capacity, errors."""
        names = {
            "queue": conventions.QUEUE_DEPTH,
            "active": conventions.ACTIVE_REQUESTS,
            "capacity": conventions.CAPACITY,
        }
        self.fleet.pin(
            self.namespace, agent, **{names[name]: value for name, value in signals.items()}
        )

    def apply(self, document: Document) -> None:
        self.kubectl("apply", "--filename=-", stdin=json.dumps(document))

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 60) -> str:
        return self.bed.kubectl(
            *arguments, f"--namespace={self.namespace}", stdin=stdin, timeout=timeout
        )

    def read(self, kind: str, name: str) -> Document:
        found: Document = json.loads(self.kubectl("get", kind, name, "--output=json"))
        return found

    def replicas(self, name: str = "agent") -> int:
        count: int = self.read("deployment", name)["spec"].get("replicas", 0)
        return count

    def status(self, name: str = "agent") -> Document:
        status: Document = self.read(conventions.PLURAL, name).get("status", {})
        return status

    def condition(self, type_: str, name: str = "agent") -> Document:
        conditions = self.status(name).get("conditions", [])
        return next((each for each in conditions if each["type"] == type_), {})

    def events(self, reason: str, about: str = "agent") -> list[Document]:
        found = json.loads(self.kubectl("get", "events", "--output=json"))["items"]
        return [
            each
            for each in found
            if each["reason"] == reason and each["involvedObject"]["name"] == about
        ]

    def history(self, name: str = "agent") -> list[Document]:
        """Give the scalings on record, newest first."""
        past: list[Document] = self.status(name).get("history", [])
        return past

    def is_one_story(self, name: str = "agent") -> bool:
        """Tell whether each scaling began where the last had ended, and all were carried out."""
        past = self.history(name)
        carried_out = {each["outcome"] for each in past} == {"Applied"}
        return carried_out and all(newer["from"] == older["to"] for newer, older in pairwise(past))

    def until_replicas(self, count: int, name: str = "agent", within: float = PATIENCE) -> None:
        self._until(
            lambda: self.replicas(name) == count,
            within,
            f"{name} at {count} replicas",
        )

    def until_reason(self, reason: str, name: str = "agent", within: float = PATIENCE) -> None:
        self._until(
            lambda: self.status(name).get("reason") == reason,
            within,
            f"reason {reason} of {name}",
        )

    def until_event(self, reason: str, about: str = "agent", within: float = PATIENCE) -> None:
        self._until(lambda: bool(self.events(reason, about)), within, f"event {reason}")

    def until_told(self, words: str, name: str = "agent", within: float = PATIENCE) -> None:
        self._until(
            lambda: words in self.status(name).get("message", ""),
            within,
            f"{words!r} in the message of {name}",
        )

    def until_condition(
        self, type_: str, status: str, name: str = "agent", within: float = PATIENCE
    ) -> None:
        self._until(
            lambda: self.condition(type_, name).get("status") == status,
            within,
            f"condition {type_}={status} of {name}",
        )

    def until_carried_out(self, name: str = "agent", within: float = PATIENCE) -> None:
        """Wait until what was decided is done: the record of a scaling comes before the act."""
        self._until(
            lambda: self._is_carried_out(name), within, f"the scaling of {name} that is on record"
        )

    def _is_carried_out(self, name: str) -> bool:
        status = self.status(name)
        outcomes = {each["outcome"] for each in status.get("history", [])}
        settled = bool(outcomes) and "Pending" not in outcomes
        return settled and status["desiredReplicas"] == self.replicas(name)

    def _until(self, holds: Callable[[], bool], within: float, what: str) -> None:
        def reached() -> bool:
            self._attend()
            return holds()

        wait_until(reached, within=within, what=what)


def deployment(name: str, replicas: int = 1) -> Document:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "agent", "image": BED_IMAGE}]},
            },
        },
    }
