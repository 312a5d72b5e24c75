"""Notice other autoscalers that set the replicas of the same workload.

HorizontalPodAutoscalers, and ScaledObjects where KEDA is installed. Two autoscalers on one target
undo each other's work for ever, so a policy with a rival must say so and keep still.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from agentscaler.act.calls import Body
from agentscaler.act.client import Api
from agentscaler.act.mirror import Doubt, ObjectKey
from agentscaler.act.mirrors import Mirrors
from agentscaler.act.places import AUTOSCALERS, SCALED_OBJECTS, TargetKey
from agentscaler.clock import Clock

_KINDS: Final = (("HorizontalPodAutoscaler", AUTOSCALERS), ("ScaledObject", SCALED_OBJECTS))
_KEDA_PAUSED: Final = "autoscaling.keda.sh/paused"


class Rival(NamedTuple):
    """Another autoscaler, by kind and name; it lives in the namespace of its target."""

    kind: str
    name: str


class Rivals:
    """The other autoscalers of the cluster, by what they scale; `on_change` is told the target.

    Without `keda` no ScaledObjects are looked for; the HPAs that KEDA makes of them are seen.
    """

    def __init__(
        self,
        api: Api,
        *,
        clock: Clock,
        namespaces: Sequence[str] = (),
        keda: bool = True,
        on_change: Callable[[TargetKey], None] = lambda key: None,
    ) -> None:
        self._on_change = on_change
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
            for kind, resource in (_KINDS if keda else _KINDS[:1])
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

    def of(self, namespace: str, kind: str, name: str) -> tuple[Rival, ...]:
        """Name those who are known to also scale this workload."""
        return tuple(sorted(self._by_target.get(TargetKey(namespace, kind, name), ())))

    def doubt(self, namespace: str) -> Doubt | None:
        """Tell why somebody may go unnoticed in a namespace; None if all are known."""
        doubts = [doubt for each in self._followed if (doubt := each.doubt(namespace))]
        return next((doubt for doubt in doubts if doubt.passing), doubts[0] if doubts else None)

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
