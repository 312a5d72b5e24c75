"""HorizontalPodAutoscaler, autoscaling/v2."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field

from agentscaler.api.fields import Model
from agentscaler.api.policy import ScaleTargetRef
from agentscaler.api.problems import Path
from agentscaler.convert import behavior, fields, resources
from agentscaler.convert.behavior import Behavior
from agentscaler.convert.draft import Draft, Metadata
from agentscaler.convert.fields import Amount
from agentscaler.convert.labels import LabelSelector, is_metric, matcher, series
from agentscaler.convert.resources import Use
from agentscaler.errors import UnconvertibleError

API_VERSION: Final = "autoscaling/v2"
KIND: Final = "HorizontalPodAutoscaler"
# What an HPA without metrics goes by.
_USUAL_CPU: Final = 80
_OWNED_BY_KEDA: Final = "scaledobject.keda.sh/name"
_GUESS: Final = (
    "is read as a series of Prometheus with these labels: where a rule of your metrics adapter "
    "renames it or makes a rate of it, put the rule's query here"
)


class Target(Model):
    """What a metric is to be kept at."""

    type: Literal["Utilization", "Value", "AverageValue"]
    average_utilization: int | None = Field(None, ge=1)
    average_value: Amount | None = None
    value: Amount | None = None


class Resource(Model):
    """CPU or memory of the pods, or of one container of each."""

    name: str
    container: str | None = None
    target: Target


class Identifier(Model):
    """A metric of an adapter."""

    name: str
    selector: LabelSelector = LabelSelector()


class Described(Model):
    """The object that a metric tells of."""

    kind: str
    name: str


class Measured(Model):
    """A metric of an adapter: of the pods, of an object, or of neither."""

    metric: Identifier
    target: Target
    described_object: Described | None = None


class Metric(Model):
    """One entry of `metrics`; `type` says which of the others is given."""

    type: Literal["Resource", "ContainerResource", "Pods", "Object", "External"]
    resource: Resource | None = None
    container_resource: Resource | None = None
    pods: Measured | None = None
    object_: Measured | None = Field(None, alias="object")
    external: Measured | None = None

    def read(self, path: Path) -> tuple[Path, Resource | Measured]:
        """Give the part that `type` names, with its field."""
        name = self.type[0].lower() + self.type[1:]
        parts = {"containerResource": self.container_resource, "object": self.object_}
        part = parts[name] if name in parts else getattr(self, name)
        if part is None:
            raise UnconvertibleError((*path, name), f"is missing: type {self.type} needs it")
        return (*path, name), part


class Spec(Model):
    """The spec of an HPA."""

    scale_target_ref: ScaleTargetRef
    min_replicas: int = 1
    max_replicas: int
    metrics: tuple[Metric, ...] = ()
    behavior: Behavior = Behavior()


class Autoscaler(Model):
    """An HPA."""

    metadata: Metadata
    spec: Spec


def convert(body: Mapping[str, Any]) -> Draft:
    """Make a policy of an HPA; raise UnconvertibleError where that is not possible."""
    read = fields.read(Autoscaler, body)
    if owner := read.metadata.labels.get(_OWNED_BY_KEDA):
        raise UnconvertibleError(
            ("metadata", "labels"), f"KEDA made this HPA: convert its ScaledObject {owner}"
        )
    spec = read.spec
    draft = Draft(
        read.metadata,
        {
            "scaleTargetRef": spec.scale_target_ref.model_dump(by_alias=True),
            "minReplicas": spec.min_replicas,
            "maxReplicas": spec.max_replicas,
        },
    )
    for index, metric in enumerate(spec.metrics):
        path, part = metric.read(("spec", "metrics", index))
        _add(draft, part, metric.type, path)
    if not spec.metrics:
        draft.note(("spec", "metrics"), f"none: the default of an HPA, {_USUAL_CPU}% of CPU")
        resources.add(draft, Use("cpu", share=_USUAL_CPU), ("spec", "metrics"))
    if not draft.metrics:
        lost = "; ".join(note.sentence for note in draft.notes)
        raise UnconvertibleError(("spec", "metrics"), f"none can be converted: {lost}")
    behavior.tell(draft, spec.behavior, ("spec", "behavior"))
    return draft


def owner_of(body: Mapping[str, Any]) -> tuple[object, object] | None:
    """Give namespace and name of the ScaledObject that KEDA made an HPA for."""
    metadata = fields.metadata_of(body)
    labels = metadata.get("labels")
    if body.get("kind") != KIND or not isinstance(labels, Mapping) or _OWNED_BY_KEDA not in labels:
        return None
    return metadata.get("namespace"), labels[_OWNED_BY_KEDA]


def _add(draft: Draft, part: Resource | Measured, kind: str, path: Path) -> None:
    target = part.target
    if isinstance(part, Resource):
        use = Use(part.name, part.container, target.average_utilization, target.average_value)
        resources.add(draft, use, path)
        return
    name = part.metric.name
    if not is_metric(name):
        draft.lose(path, f"{name} is no name of a series: add a metric with a query for it")
        return
    matchers = [*part.metric.selector.matchers(), *_narrowed(draft, part, kind)]
    query = f"sum({series(name, matchers)})"
    draft.add_metric(name, query, **_target(target, (*path, "target")))
    draft.note(path, f"{name} {_GUESS}")


def _narrowed(draft: Draft, part: Measured, kind: str) -> list[str]:
    if kind == "Pods":
        return resources.pods_of(draft)
    if part.described_object is None:
        return []
    return [matcher(part.described_object.kind.lower(), "=", part.described_object.name)]


def _target(target: Target, path: Path) -> dict[str, str]:
    if target.type == "AverageValue" and target.average_value is not None:
        return {"perReplica": target.average_value}
    if target.type == "Value" and target.value is not None:
        return {"value": target.value}
    raise UnconvertibleError(path, f"type {target.type} needs its amount: averageValue or value")
