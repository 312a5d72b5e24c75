"""The autoscaling annotations of a Knative Service or Configuration.

Knative counts requests in its own sidecar. A policy reads what the gateway or the runtime count,
and scales a Deployment, which has to be made of the Service's template.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from agentscaler.api.fields import Model
from agentscaler.api.problems import Path
from agentscaler.conventions import REQUESTS_RECEIVED
from agentscaler.convert import fields, resources
from agentscaler.convert.draft import Draft, Metadata
from agentscaler.convert.labels import matcher, series
from agentscaler.convert.resources import Use
from agentscaler.errors import UnconvertibleError
from agentscaler.quantities import format_duration, format_quantity, parse_quantity

API_VERSION: Final = "serving.knative.dev/v1"
KINDS: Final = frozenset({"Service", "Configuration"})
_GROUP: Final = "autoscaling.knative.dev/"
_ANNOTATIONS: Final[Path] = ("spec", "template", "metadata", "annotations")
_CONTAINERS: Final[Path] = ("spec", "template", "spec", "containerConcurrency")
# Defaults of Knative's ConfigMap config-autoscaler.
_TARGETS: Final = {"concurrency": "100", "rps": "200"}
_SHARE: Final = 70
_LEAST: Final = 1.0  # of requests, or of requests a second, that Knative aims at a replica
_WINDOW: Final = "60s"
_UNLIMITED: Final = 10  # our default
_LOST: Final = {
    "initial-scale": "a policy starts from the count that the Deployment has",
    "activation-scale": "one replica wakes first; set demand.spare for more",
    "panic-window-percentage": "there is no second window: growth is never held back",
    "panic-threshold-percentage": "there is no second window: growth is never held back",
    "target-burst-capacity": "the gateway holds requests only while there is no free replica",
    "scale-to-zero-pod-retention-period": "the window of the way down does it",
}


class TemplateMetadata(Model):
    """Metadata of a revision to come."""

    annotations: Mapping[str, str] = {}


class TemplateSpec(Model):
    """Spec of a revision to come."""

    container_concurrency: int = Field(0, ge=0)


class Template(Model):
    """A revision to come."""

    metadata: TemplateMetadata = TemplateMetadata()
    spec: TemplateSpec = TemplateSpec()


class Spec(Model):
    """The spec of a Service or Configuration."""

    template: Template


class Service(Model):
    """A Service or Configuration."""

    metadata: Metadata
    spec: Spec


class Wishes(dict[str, str]):
    """Annotations of autoscaling by their short names; each is told apart from where it stands."""

    def at(self, name: str) -> Path:
        """Give the field of an annotation."""
        return (*_ANNOTATIONS, _GROUP + name)

    def whole(self, name: str, default: int) -> int:
        """Read a whole number."""
        return fields.whole_at(self[name], self.at(name)) if name in self else default


def convert(body: Mapping[str, Any]) -> Draft:
    """Make a policy of the annotations; raise UnconvertibleError where that is not possible."""
    read = fields.read(Service, body)
    template = read.spec.template
    wishes = _wishes(template.metadata.annotations)
    draft = Draft(read.metadata, {"scaleTargetRef": {"name": read.metadata.name}})
    draft.note(
        ("spec", "template"),
        "a policy cannot scale what Knative runs: make it a Deployment of the same name, behind "
        "the gateway or with the runtime kit, whose metrics are read",
    )
    _add_bounds(draft, wishes)
    _add_metric(draft, wishes, template.spec.container_concurrency)
    for name, sentence in _LOST.items():
        if name in wishes:
            draft.lose(wishes.at(name), sentence)
    return draft


def _wishes(annotations: Mapping[str, str]) -> Wishes:
    """Give the annotations by name; minScale is an older spelling of min-scale."""
    return Wishes(
        (re.sub("[A-Z]", lambda found: f"-{found[0].lower()}", key.removeprefix(_GROUP)), value)
        for key, value in annotations.items()
        if key.startswith(_GROUP)
    )


def _add_bounds(draft: Draft, wishes: Wishes) -> None:
    low, high = wishes.whole("min-scale", 0), wishes.whole("max-scale", 0)
    if high == 0:
        high = max(_UNLIMITED, 2 * low)
        draft.note(
            wishes.at("max-scale"),
            f"is unlimited, which a policy is not: choose yours for {high}",
        )
    draft.spec.update(minReplicas=low, maxReplicas=high)
    if low == 0 and not _is_by_hpa(wishes):
        draft.note(
            wishes.at("min-scale"),
            "is zero, Knative's default: only the gateway sees requests for a fleet at zero, and "
            "wakes it",
        )


def _add_metric(draft: Draft, wishes: Wishes, limit: int) -> None:
    metric = wishes.get("metric", "cpu" if _is_by_hpa(wishes) else "concurrency")
    if _is_by_hpa(wishes) and metric in {"cpu", "memory"}:
        _add_resource(draft, wishes, metric)
    elif metric == "concurrency":
        _size_by_concurrency(draft, wishes, limit)
    elif metric == "rps":
        _add_rate(draft, wishes)
    else:
        raise UnconvertibleError(
            wishes.at("metric"), f"{metric} cannot be translated: write a metric with a query"
        )


def _is_by_hpa(wishes: Wishes) -> bool:
    """Tell the class whose pods an HPA counts, by CPU or memory; it never goes to zero."""
    return wishes.get("class", "").startswith("hpa.")


def _size_by_concurrency(draft: Draft, wishes: Wishes, limit: int) -> None:
    """Take the smaller of the soft and the hard limit, as Knative does, for a replica's slots."""
    slots, share = _slots(wishes, limit), _share(wishes)
    path, before = _place_of_slots(wishes, limit, slots)
    if is_tiny := slots * share < _LEAST * 100:
        slots, share = _LEAST, 100
    draft.spec["signals"] = {"capacity": {"perReplica": format_quantity(slots)}}
    draft.spec["demand"] = {
        "targetUtilization": f"{share}%",
        "scaleDown": {"cooldown": _cooldown(draft, wishes)},
    }
    full = ", all of them used, for Knative aims at one or more" if is_tiny else ""
    draft.note(
        path,
        f"{before}{slots:g} requests a replica become its slots{full}; requests that wait count "
        "too, and a forecast may raise the count",
    )


def _slots(wishes: Wishes, limit: int) -> float:
    if "target" not in wishes and limit:
        return limit
    soft = parse_quantity(_target(wishes, "concurrency"))
    return min(soft, limit) if limit else soft


def _place_of_slots(wishes: Wishes, limit: int, slots: float) -> tuple[Path, str]:
    """Give the field that the slots come from, and what to say before them."""
    if "target" in wishes and slots != limit:
        return wishes.at("target"), ""
    if limit:
        return _CONTAINERS, ""
    return _CONTAINERS, "is unlimited, and no target is given: Knative's default, "


def _cooldown(draft: Draft, wishes: Wishes) -> str:
    """Give the time that the way down looks back: the longer of the window and the delay."""
    spans = {
        name: fields.duration_at(wishes.get(name, default), wishes.at(name))
        for name, default in (("window", _WINDOW), ("scale-down-delay", "0s"))
    }
    name = max(spans, key=lambda each: spans[each])
    draft.note(
        wishes.at(name),
        f"becomes demand.scaleDown.cooldown: the highest need of {format_duration(spans[name])} "
        "holds, where Knative's window takes the mean",
    )
    return format_duration(spans[name])


def _add_rate(draft: Draft, wishes: Wishes) -> None:
    each = max(_LEAST, parse_quantity(_target(wishes, "rps")) * _share(wishes) / 100)
    found = series(REQUESTS_RECEIVED, [matcher("agent", "=", draft.metadata.name)])
    draft.add_metric("rps", f"sum(rate({found}[1m]))", perReplica=format_quantity(each))
    draft.note(
        wishes.at("metric"),
        f"reads {REQUESTS_RECEIVED}; the window is 5m while metrics alone decide. Agents differ in "
        "seconds a request: without this metric, demand counts the slots that they take",
    )


def _add_resource(draft: Draft, wishes: Wishes, metric: str) -> None:
    if metric == "memory":  # in MiB
        amount = f"{_target(wishes, metric)}Mi"
        resources.add(draft, Use(metric, amount=amount), wishes.at("metric"))
    else:
        share = wishes.whole("target", 80)
        resources.add(draft, Use(metric, share=share), wishes.at("metric"))
    if not draft.metrics:
        raise UnconvertibleError(wishes.at("target"), draft.notes[-1].sentence)
    resources.keep_one(draft, wishes.at("min-scale"))


def _target(wishes: Wishes, metric: str) -> str:
    if "target" not in wishes and metric not in _TARGETS:
        raise UnconvertibleError(wishes.at("target"), f"is missing: {metric} needs it")
    return fields.amount_at(wishes.get("target", _TARGETS.get(metric, "")), wishes.at("target"))


def _share(wishes: Wishes) -> int:
    name = "target-utilization-percentage"
    share = wishes.whole(name, _SHARE)
    if not 0 < share <= 100:  # noqa: PLR2004
        raise UnconvertibleError(wishes.at(name), "has to be from 1 to 100")
    return share
