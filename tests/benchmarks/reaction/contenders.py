"""Who answers the steps: the operator with its policies.

What every contender has: the objects that it wants, when one of them was evaluated, how it starts.
"""

import contextlib
from collections.abc import Iterator
from typing import Final, Protocol

from agentscaler import conventions
from agentscaler.act.places import POLICIES, Resource
from tests.bed import Bed
from tests.benchmarks.reaction.cluster import Document
from tests.benchmarks.reaction.loads import SLOTS
from tests.e2e.operators import Operator

MOST_REPLICAS: Final = 1000
TARGET: Final = "70%"


class Contender(Protocol):
    """One autoscaler in one setting.

    `resource` is the kind of its objects and `judged` the kind on which it records what it found.
    """

    name: str
    resource: Resource
    judged: Resource
    intervals: tuple[int, ...]
    sizes: tuple[int, ...]

    def document(self, name: str, namespace: str, interval: int) -> Document:
        """Give the object that has the Deployment of this name scaled."""

    def polling(self, interval: int) -> Document:
        """Give the change of its spec to another interval, in seconds."""

    def is_evaluated(self, body: Document) -> bool:
        """Tell whether an object of the kind `judged` says that it was read as it is now."""

    def running(self, bed: Bed) -> contextlib.AbstractContextManager[object]:
        """Run it; `tune` was called for the first of its intervals."""

    def tune(self, bed: Bed, interval: int) -> None:
        """Make what runs fit an interval, where its objects cannot say that."""

    def hurry(self, bed: Bed) -> None:
        """Help it through a cold start that takes too long; `tune` ends that."""


class Ours:
    """The operator with the chart's rights and its defaults."""

    name = "agentscaler"
    resource = judged = POLICIES

    def __init__(self, sizes: tuple[int, ...], intervals: tuple[int, ...]) -> None:
        self.sizes = sizes
        self.intervals = intervals

    def document(self, name: str, namespace: str, interval: int) -> Document:
        return {
            "apiVersion": conventions.API_VERSION,
            "kind": conventions.KIND,
            "metadata": {"name": name},
            "spec": {
                "scaleTargetRef": {"name": name},
                "maxReplicas": MOST_REPLICAS,
                "signals": {"capacity": {"perReplica": SLOTS}},
                # A forecast is made, but an answer before the step would say nothing of reaction.
                "prediction": {"mode": "Observe"},
                "demand": {"targetUtilization": TARGET, "scaleDown": {"cooldown": "1h"}},
                **self.polling(interval),
            },
        }

    def polling(self, interval: int) -> Document:
        return {"pollingInterval": f"{interval}s"}

    def is_evaluated(self, body: Document) -> bool:
        known = body.get("status", {}).get("observedGeneration")
        return bool(known == body["metadata"]["generation"])

    @contextlib.contextmanager
    def running(self, bed: Bed) -> Iterator[None]:
        with Operator(bed):
            yield

    def tune(self, bed: Bed, interval: int) -> None:
        """Do nothing: its policies say all."""

    def hurry(self, bed: Bed) -> None:
        """Do nothing: it has no other limits."""
