"""CPU and memory of a target's pods, as the kubelet and kube-state-metrics export them."""

from dataclasses import dataclass
from typing import Final

from agentscaler.api.policy import ScaleTargetRef
from agentscaler.api.problems import Path
from agentscaler.convert.draft import Draft
from agentscaler.convert.labels import matcher, series
from agentscaler.observe.expressions import POD_ENDINGS

_USED: Final = {
    "cpu": "container_cpu_usage_seconds_total",
    "memory": "container_memory_working_set_bytes",
}
_ASKED: Final = "kube_pod_container_resource_requests"
_WHOLE: Final = 100
_ADVICE: Final = (
    "CPU and memory say little of agents that wait for models: where the agent exports its "
    "requests, leave this metric out and let demand size the fleet"
)


@dataclass(frozen=True, slots=True)
class Use:
    """A resource of the pods, or of one container of each, and its target.

    `share` is the percentage of what is requested, `amount` the quantity a replica takes.
    """

    resource: str
    container: str | None = None
    share: int | None = None
    amount: str | None = None


def add(draft: Draft, use: Use, path: Path) -> None:
    """Add a metric that keeps a resource at its target."""
    if use.resource not in _USED:
        sentence = f"{use.resource} has no usual series in Prometheus: add a metric with a query"
        draft.lose(path, sentence)
    elif use.amount is not None:
        draft.add_metric(use.resource, _used(draft, use), perReplica=use.amount)
        draft.note(path, _ADVICE)
    elif use.share is not None and 0 < use.share <= _WHOLE:
        draft.add_metric(use.resource, _used_share(draft, use), utilization=f"{use.share}%")
        draft.note(path, _ADVICE)
    else:
        draft.lose(path, "the target has to be an amount, or 1% to 100% of what is requested")


def keep_one(draft: Draft, path: Path) -> None:
    """Keep a replica where nothing but the pods themselves is measured: none would wake another."""
    if draft.spec["minReplicas"] == 0:
        draft.spec["minReplicas"] = 1
        draft.note(path, "minReplicas is 1: without a pod, neither CPU nor memory tells of work")


def pods_of(draft: Draft) -> list[str]:
    """Write matchers of the target's pods, by how its kind names them."""
    target = ScaleTargetRef.model_validate(draft.spec["scaleTargetRef"])
    name = target.name.replace(".", "[.]")
    pod = matcher("pod", "=~", name + POD_ENDINGS.get(target.kind, "-.+"))
    namespace = draft.metadata.namespace
    return [matcher("namespace", "=", namespace), pod] if namespace else [pod]


def _used(draft: Draft, use: Use) -> str:
    # Without a container's name the series is the sum of the pod's, which would count twice.
    which = matcher("container", "=" if use.container else "!=", use.container or "")
    found = series(_USED[use.resource], [*pods_of(draft), which])
    return f"sum(rate({found}[2m]))" if use.resource == "cpu" else f"sum({found})"


def _used_share(draft: Draft, use: Use) -> str:
    matchers = [*pods_of(draft), matcher("resource", "=", use.resource)]
    if use.container:
        matchers.append(matcher("container", "=", use.container))
    return f"{_used(draft, use)} / sum({series(_ASKED, matchers)})"
