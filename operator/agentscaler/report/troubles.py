"""What keeps a policy from doing its work, in words that say what to do about it."""

from dataclasses import dataclass
from typing import Final

from agentscaler.api.status import ConditionType, Reason


@dataclass(frozen=True, slots=True)
class Trouble:
    """One obstacle: the condition it belongs to, a reason for machines, a sentence with the fix."""

    condition: ConditionType
    reason: str
    message: str


def invalid_spec(problems: tuple[str, ...]) -> Trouble:
    """Say what is wrong with the manifest."""
    said = "; ".join(problems)
    message = f"{said}. Until the manifest is corrected the target is left alone."
    return Trouble(ConditionType.READY, Reason.INVALID_SPEC, message)


def target_not_found(kind: str, name: str) -> Trouble:
    """Say that there is no such workload."""
    message = (
        f"There is no {kind} {name} in this namespace: create it, or correct spec.scaleTargetRef."
    )
    return Trouble(ConditionType.READY, Reason.TARGET_NOT_FOUND, message)


def target_not_scalable(api_version: str, kind: str) -> Trouble:
    """Say that the kind does not exist, or has no `/scale`."""
    message = (
        f"The cluster offers no {kind} of {api_version} with a scale subresource: name a kind that "
        "has one in spec.scaleTargetRef, such as Deployment or StatefulSet of apps/v1."
    )
    return Trouble(ConditionType.READY, Reason.TARGET_NOT_SCALABLE, message)


def forbidden(detail: str) -> Trouble:
    """Say which right the operator lacks."""
    message = f"{detail}. Add the right to the role of the operator's ServiceAccount."
    return Trouble(ConditionType.READY, Reason.FORBIDDEN, message)


def target_shared(owner: str) -> Trouble:
    """Say which older policy scales the same workload."""
    message = (
        f"Policy {owner} is older and scales the same target: delete one of the two, or name "
        "another workload in spec.scaleTargetRef. Until then this one does nothing."
    )
    return Trouble(ConditionType.CONFLICT, Reason.TARGET_SHARED, message)


def other_autoscaler(kind: str, name: str) -> Trouble:
    """Say which HPA or KEDA object scales the same workload."""
    message = (
        f"{kind} {name} scales the same target: remove it (kubectl delete {kind.lower()} {name}), "
        "or set spec.mode: Recommend to compare the two. Until then this policy does nothing."
    )
    return Trouble(ConditionType.CONFLICT, Reason.OTHER_AUTOSCALER, message)


def rivals_unknown(detail: str) -> Trouble:
    """Say why nobody can tell whether another autoscaler is on the target."""
    message = (
        f"Whether another autoscaler scales the target is not known: {detail}. To be sure that "
        "none does, let the operator list HorizontalPodAutoscalers and ScaledObjects. The policy "
        "is followed meanwhile."
    )
    return Trouble(ConditionType.CONFLICT, Reason.RIVALS_UNKNOWN, message)


# A field that was applied before and is missing now is removed; a Deployment then has one replica.
_LATER: Final = "after this policy has set a count again: else that sets it to 1"
_ONCE: Final = "the upgrade that does so sets the count to 1 until the next poll of this policy"
_ARGO: Final = (
    "in the Application, list /spec/replicas under spec.ignoreDifferences[].jsonPointers and add "
    "the sync option RespectIgnoreDifferences=true; remove spec.replicas from the manifest, if at "
    "all, not before that is synced: else it would set the count to 1"
)
_OF_FLUX: Final = "remove spec.replicas from the manifest or chart values that Flux applies"
_FLUX: Final = f"{_OF_FLUX}, {_LATER}"
_HELM: Final = (
    "remove spec.replicas from the chart's template (most charts do with a value), but note: "
    f"{_ONCE}"
)
_APPLY: Final = (
    "remove spec.replicas from the manifest, first from its record: kubectl apply edit-last-applied"
)
_BY_HAND: Final = "to set the count by hand, use spec.override (replicas and until) of this policy"
_OPERATOR: Final = (
    "uninstall one of the two operators, or divide the namespaces between them by watchNamespaces: "
    "that one is named by the namespace and name of its Lease"
)
_CURES: Final = (
    ("agentscaler@", _OPERATOR),
    ("argocd", _ARGO),
    ("helm-controller", f"{_OF_FLUX}; {_ONCE}"),
    ("kustomize-controller", _FLUX),
    ("flux", _FLUX),
    ("helm", _HELM),
    ("kubectl-client-side-apply", f"{_APPLY} {{target}}"),
    ("kubectl-last-applied", f"{_APPLY} {{target}}"),
    ("kubectl-edit", _BY_HAND),
    ("kubectl-patch", _BY_HAND),
    ("kubectl", f"remove spec.replicas from the manifest, {_LATER}; or, {_BY_HAND}"),
    ("kube-controller-manager", "remove the HorizontalPodAutoscaler of this target"),
    ("keda", "remove the ScaledObject of this target"),
)
_UNKNOWN_WRITER: Final = (
    "let it leave spec.replicas alone, or set spec.mode: Recommend in this policy"
)


def contested(manager: str, *, target: str, found: int, decided: int) -> Trouble:
    """Say who else wrote `spec.replicas`, and how that field manager lets go of it.

    `target` is "Deployment/NAME", as kubectl takes it.
    """
    cure = next((cure for prefix, cure in _CURES if manager.startswith(prefix)), _UNKNOWN_WRITER)
    message = (
        f"{manager} set spec.replicas to {found} where {decided} had been decided. "
        f"To end this, {cure.format(target=target.lower())}."
    )
    return Trouble(ConditionType.REPLICAS_CONTESTED, Reason.FOREIGN_WRITER, message)
