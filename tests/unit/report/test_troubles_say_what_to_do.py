"""What stands in the way, each with its cure."""

import pytest

from agentscaler.api.status import ConditionType, Reason
from agentscaler.report import troubles
from agentscaler.report.troubles import Trouble
from tests.unit.report.scenes import TARGET


@pytest.mark.parametrize(
    ("trouble", "reason", "cure"),
    [
        (
            troubles.invalid_spec(("spec.maxReplicas: must be at least 1", "spec.x: bad")),
            Reason.INVALID_SPEC,
            "spec.maxReplicas: must be at least 1; spec.x: bad. Until the manifest is corrected",
        ),
        (
            troubles.target_not_found("Deployment", "research-agent"),
            Reason.TARGET_NOT_FOUND,
            "create it, or correct spec.scaleTargetRef",
        ),
        (
            troubles.target_not_scalable("batch/v1", "Job"),
            Reason.TARGET_NOT_SCALABLE,
            "name a kind that has one in spec.scaleTargetRef",
        ),
        (
            troubles.forbidden("The operator may not patch deployments/scale"),
            Reason.FORBIDDEN,
            "Add the right",
        ),
        (
            troubles.target_shared("agents/older"),
            Reason.TARGET_SHARED,
            "Policy agents/older is older and scales the same target: delete one of the two",
        ),
        (
            troubles.other_autoscaler("HorizontalPodAutoscaler", "web"),
            Reason.OTHER_AUTOSCALER,
            "kubectl delete horizontalpodautoscaler web",
        ),
        (
            troubles.rivals_unknown("may not list horizontalpodautoscalers"),
            Reason.RIVALS_UNKNOWN,
            "let the operator list HorizontalPodAutoscalers",
        ),
    ],
    ids=lambda value: value.reason if isinstance(value, Trouble) else "",
)
def test_trouble_names_the_cure(trouble: Trouble, reason: str, cure: str) -> None:
    assert trouble.reason == reason
    assert cure in trouble.message


@pytest.mark.parametrize(
    ("manager", "cure"),
    [
        ("argocd-controller", "RespectIgnoreDifferences=true"),
        ("kustomize-controller", "manifest or chart values that Flux applies"),
        ("helm-controller", "manifest or chart values that Flux applies"),
        ("helm", "remove spec.replicas from the chart's template"),
        (
            "kubectl-client-side-apply",
            "kubectl apply edit-last-applied deployment/research-agent",
        ),
        ("kubectl-edit", "use spec.override"),
        ("kubectl", "use spec.override"),
        ("agentscaler@team-b/agentscaler-leader", "uninstall one of the two operators"),
        ("kube-controller-manager", "remove the HorizontalPodAutoscaler"),
        ("keda-operator", "remove the ScaledObject"),
        ("terraform", "let it leave spec.replicas alone"),
    ],
)
def test_contest_names_the_writer_and_how_it_lets_go(manager: str, cure: str) -> None:
    trouble = troubles.contested(manager, target=TARGET, found=2, decided=7)
    assert trouble.condition is ConditionType.REPLICAS_CONTESTED
    assert trouble.message.startswith(
        f"{manager} set spec.replicas to 2 where 7 had been decided. To end this, "
    )
    assert cure in trouble.message


@pytest.mark.parametrize(
    ("manager", "caution"),
    [
        ("argocd-controller", "not before that is synced: else it would set the count to 1"),
        ("kustomize-controller", "after this policy has set a count again: else that sets it to 1"),
        ("kubectl", "after this policy has set a count again: else that sets it to 1"),
        ("helm-controller", "sets the count to 1 until the next poll"),
        ("helm", "sets the count to 1 until the next poll"),
        ("kubectl-client-side-apply", "first from its record"),
    ],
)
def test_contest_warns_of_the_fall_that_a_missing_line_brings(manager: str, caution: str) -> None:
    assert caution in troubles.contested(manager, target=TARGET, found=2, decided=7).message
