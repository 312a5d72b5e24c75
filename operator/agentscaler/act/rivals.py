"""Notice other autoscalers that set the replicas of the same workload.

HorizontalPodAutoscalers, and ScaledObjects where KEDA is installed. Two autoscalers on one target
undo each other's work for ever, so a policy with a rival must say so and keep still.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from agentscaler.act.calls import Body
from agentscaler.act.client import Api
from agentscaler.act.mirror import ObjectKey
from agentscaler.act.mirrors import Mirrors
from agentscaler.act.places import AUTOSCALERS, SCALED_OBJECTS, TargetKey
from agentscaler.clock import Clock
from agentscaler.errors import ClusterError

# How long to wait for a first list: longer than the longest pause before another try of it.
_PATIENCE_SECONDS: Final = 60.0
_KEDA_PAUSED: Final = "autoscaling.keda.sh/paused"


class Rival(NamedTuple):
    """Another autoscaler, by kind and name; it lives in the namespace of its target."""

    kind: str
    name: str


class Doubt(NamedTuple):
    """Why the rivals in a namespace are not all known; `passing` if they may be soon."""

    why: ClusterError
    passing: bool


class Rivals:
    """The other autoscalers of the cluster, by what they scale; `on_change` is told the target."""

    def __init__(
        self,
        api: Api,
        *,
        clock: Clock,
        namespaces: Sequence[str] = (),
        on_change: Callable[[TargetKey], None] = lambda key: None,
    ) -> None:
        self._on_change = on_change
        self._clock = clock
        self._awaited_since: dict[str, float] = {}
        self._by_target: defaultdict[TargetKey, set[Rival]] = defaultdict(set)
        self._followed = [
            Mirrors(
                api,
                resource,
                namespaces,
                read=_read,
                on_change=self._noter(kind),
                clock=clock,
            )
            for kind, resource in (
                ("HorizontalPodAutoscaler", AUTOSCALERS),
                ("ScaledObject", SCALED_OBJECTS),
            )
        ]

    def start(self) -> None:
        """Begin to follow them."""
        for mirrors in self._followed:
            mirrors.start()

    async def close(self) -> None:
        """Stop following them."""
        for mirrors in self._followed:
            await mirrors.stop()

    async def settled(self) -> None:
        """Wait until all have been listed, or failed to be, once."""
        for mirrors in self._followed:
            await mirrors.settled()

    @property
    def synced(self) -> bool:
        """Tell whether all have been listed; an API that is not installed counts as empty."""
        return all(mirrors.synced for mirrors in self._followed)

    @property
    def trouble(self) -> ClusterError | None:
        """Give the reason why some rivals may go unnoticed at present."""
        return next((mirrors.trouble for mirrors in self._followed if mirrors.trouble), None)

    def of(self, namespace: str, kind: str, name: str) -> tuple[Rival, ...]:
        """Name those who are known to also scale this workload."""
        return tuple(sorted(self._by_target.get(TargetKey(namespace, kind, name), ())))

    def doubt(self, namespace: str) -> Doubt | None:
        """Tell why somebody may go unnoticed in a namespace; None if all are known.

        It is passing until a first list had time to succeed, counted from when it was first asked
        for: a right that is withdrawn for good must not end all scaling.
        """
        doubts = [(each, each.doubt(namespace)) for each in self._followed]
        found = next(((mirrors, why) for mirrors, why in doubts if why is not None), None)
        if found is None:
            self._awaited_since.pop(namespace, None)
            return None
        mirrors, why = found
        now = self._clock.monotonic()
        waited = now - self._awaited_since.setdefault(namespace, now)
        passing = not mirrors.is_listed(namespace) and waited < _PATIENCE_SECONDS
        return Doubt(why, passing)

    def _noter(self, kind: str) -> Callable[[ObjectKey, TargetKey | None, TargetKey | None], None]:
        def note(key: ObjectKey, before: TargetKey | None, after: TargetKey | None) -> None:
            rival = Rival(kind, key[1])
            if before is not None:
                self._by_target[before].discard(rival)
                if not self._by_target[before]:
                    del self._by_target[before]
                self._on_change(before)
            if after is not None:
                self._by_target[after].add(rival)
                self._on_change(after)

        return note


async def _read(body: Body, _before: TargetKey | None) -> TargetKey | None:
    metadata: dict[str, Any] = body["metadata"]
    if (metadata.get("annotations") or {}).get(_KEDA_PAUSED) == "true":
        return None
    ref = body["spec"]["scaleTargetRef"]
    # KEDA leaves out the kind of a Deployment.
    return TargetKey(metadata["namespace"], ref.get("kind", "Deployment"), ref["name"])
