"""KEDA's ScaledObject, keda.sh/v1alpha1."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field

from agentscaler.api.fields import Model
from agentscaler.api.policy import ScaleTargetRef
from agentscaler.convert import behavior, fields, triggers
from agentscaler.convert.behavior import Behavior
from agentscaler.convert.draft import Draft, Metadata
from agentscaler.convert.triggers import Trigger
from agentscaler.errors import UnconvertibleError

API_VERSION: Final = "keda.sh/v1alpha1"
KIND: Final = "ScaledObject"
_PAUSED: Final = "autoscaling.keda.sh/paused"
_PAUSED_AT: Final = "autoscaling.keda.sh/paused-replicas"
_USUAL_COOLDOWN: Final = 300
# What our fallback does in KEDA's words; one of them has no counterpart.
_BEHAVIORS: Final = {
    "static": "Static",
    "currentReplicas": "Hold",
    "currentReplicasIfHigher": "AtLeast",
}
_SEVERAL: Final = (
    "static becomes AtLeast, as there are several metrics: what the known ones need still counts, "
    "and while one is unknown nothing is removed, even where KEDA would come down"
)


class HpaConfig(Model):
    """What KEDA hands on to its HPA."""

    behavior: Behavior = Behavior()


class Modifiers(Model):
    """Arithmetic over the triggers."""

    formula: str = ""


class Advanced(Model):
    """Further settings."""

    restore_to_original_replica_count: bool = False
    horizontal_pod_autoscaler_config: HpaConfig = HpaConfig()
    scaling_modifiers: Modifiers = Modifiers()


class Fallback(Model):
    """What to do while a trigger fails."""

    failure_threshold: int = 3
    replicas: int
    behavior: Literal[
        "static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"
    ] = "static"


class Spec(Model):
    """The spec of a ScaledObject; what is absent has KEDA's default."""

    scale_target_ref: ScaleTargetRef
    polling_interval: int | None = Field(None, ge=1)
    cooldown_period: int = _USUAL_COOLDOWN
    initial_cooldown_period: int = 0
    idle_replica_count: int | None = None
    min_replica_count: int = 0
    max_replica_count: int = 100
    fallback: Fallback | None = None
    advanced: Advanced = Advanced()
    triggers: tuple[Trigger, ...]


class ScaledObject(Model):
    """A ScaledObject."""

    metadata: Metadata
    spec: Spec


def convert(body: Mapping[str, Any]) -> Draft:
    """Make a policy of a ScaledObject; raise UnconvertibleError where that is not possible."""
    read = fields.read(ScaledObject, body)
    spec = read.spec
    if spec.advanced.scaling_modifiers.formula:
        raise UnconvertibleError(
            ("spec", "advanced", "scalingModifiers", "formula"),
            "a policy has no formulas: write the arithmetic as one query of one trigger",
        )
    draft = Draft(read.metadata, _head(spec))
    _tell_bounds(draft, spec)
    triggers.add_all(draft, spec.triggers, ("spec", "triggers"))
    _add_fallback(draft, spec.fallback)
    config = ("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior")
    behavior.tell(draft, spec.advanced.horizontal_pod_autoscaler_config.behavior, config)
    if spec.advanced.restore_to_original_replica_count:
        at = ("spec", "advanced", "restoreToOriginalReplicaCount")
        draft.lose(at, "a policy that is deleted leaves the count as it is")
    _tell_pause(draft)
    return draft


def _head(spec: Spec) -> dict[str, Any]:
    head: dict[str, Any] = {
        "scaleTargetRef": spec.scale_target_ref.model_dump(by_alias=True),
        "minReplicas": spec.min_replica_count,
        "maxReplicas": spec.max_replica_count,
    }
    if spec.idle_replica_count is not None:
        head["minReplicas"] = spec.idle_replica_count
    if spec.polling_interval is not None:
        head["pollingInterval"] = f"{spec.polling_interval}s"
    return head


def _tell_bounds(draft: Draft, spec: Spec) -> None:
    if spec.idle_replica_count is not None:
        draft.note(
            ("spec", "idleReplicaCount"),
            f"becomes minReplicas; a little work may run on fewer than {spec.min_replica_count}",
        )
    if spec.cooldown_period != _USUAL_COOLDOWN:
        draft.note(
            ("spec", "cooldownPeriod"),
            f"{spec.cooldown_period}s before zero becomes the window of every way down, 5m while "
            "metrics alone decide; with demand in force, demand.scaleDown.cooldown",
        )
    if spec.initial_cooldown_period:
        draft.lose(("spec", "initialCooldownPeriod"), "the first decision removes nothing anyway")


def _add_fallback(draft: Draft, fallback: Fallback | None) -> None:
    if fallback is None:
        return
    path = ("spec", "fallback", "behavior")
    name = _BEHAVIORS.get(fallback.behavior)
    if name is None:
        draft.lose(path, f"{fallback.behavior} has no counterpart: the count is held")
        return
    if name == "Static" and len(draft.metrics) > 1:
        # KEDA puts the fallback in for the trigger that fails, and the largest wish wins; Static
        # would be the count, whatever the metrics that are known need.
        name = "AtLeast"
        draft.note(path, _SEVERAL)
    written = {"afterFailures": fallback.failure_threshold, "behavior": name}
    draft.spec["fallback"] = written | ({} if name == "Hold" else {"replicas": fallback.replicas})


def _tell_pause(draft: Draft) -> None:
    annotations = draft.metadata.annotations
    if annotations.get(_PAUSED, "").lower() == "true":
        path = ("metadata", "annotations", _PAUSED)
        draft.note(path, "pauses KEDA; to pause the policy, set mode: Paused")
    if count := annotations.get(_PAUSED_AT):
        draft.lose(
            ("metadata", "annotations", _PAUSED_AT),
            f"add override: {{replicas: {count}, until: ...}}, which ends by itself",
        )
