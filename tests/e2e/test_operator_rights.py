"""The chart's ServiceAccount may do what the operator does, and no more."""

import pytest

from agentscaler import conventions
from tests.bed import Bed, BedError
from tests.e2e.operators import RELEASE
from tests.e2e.worlds import SYSTEM_NAMESPACE

pytestmark = pytest.mark.e2e

ACCOUNT = f"system:serviceaccount:{SYSTEM_NAMESPACE}:{RELEASE}"


def may(bed: Bed, *question: str) -> bool:
    try:
        return bed.kubectl("auth", "can-i", *question, f"--as={ACCOUNT}").strip() == "yes"
    except BedError:  # kubectl ends with 1 for "no"
        return False


@pytest.mark.parametrize(
    "question",
    [
        ("list", "agentscalingpolicies.agentscaler.dev"),
        ("watch", "agentscalingpolicies.agentscaler.dev"),
        ("patch", "agentscalingpolicies.agentscaler.dev", "--subresource=status"),
        ("watch", "deployments.apps"),
        ("patch", "deployments.apps", "--subresource=scale"),
        ("patch", "statefulsets.apps", "--subresource=scale"),
        ("list", "pods"),
        ("patch", "pods"),
        ("create", "events"),
        ("list", "leases.coordination.k8s.io", f"--namespace={SYSTEM_NAMESPACE}"),
        (
            "update",
            f"leases.coordination.k8s.io/{conventions.LEASE_NAME}",
            f"--namespace={SYSTEM_NAMESPACE}",
        ),
    ],
    ids=" ".join,
)
def test_account_may_do_its_work(installed: Bed, question: tuple[str, ...]) -> None:
    assert may(installed, *question)


@pytest.mark.parametrize(
    "question",
    [
        ("patch", "deployments.apps"),
        ("update", "deployments.apps"),
        ("delete", "deployments.apps"),
        ("delete", "pods"),
        ("get", "secrets"),
        ("list", "secrets"),
        ("patch", "agentscalingpolicies.agentscaler.dev"),
        ("delete", "agentscalingpolicies.agentscaler.dev"),
        ("get", "customresourcedefinitions.apiextensions.k8s.io"),
        ("create", "leases.coordination.k8s.io", "--namespace=kube-system"),
        ("create", "pods", "--subresource=exec"),
        ("impersonate", "users"),
        ("*", "*"),
    ],
    ids=" ".join,
)
def test_account_may_do_no_more(installed: Bed, question: tuple[str, ...]) -> None:
    assert not may(installed, *question)
