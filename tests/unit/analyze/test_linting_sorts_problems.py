"""Errors first, pitfalls only where there are none."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agentscaler.analyze import linting
from agentscaler.analyze.linting import Severity

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)


def manifest(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "agentscaler.dev/v1alpha1",
        "kind": "AgentScalingPolicy",
        "metadata": {"name": "research"},
        "spec": {"scaleTargetRef": {"name": "research"}, **spec},
    }


def found(body: dict[str, Any], judged: str = "") -> list[tuple[Severity, str]]:
    findings = linting.check(body, now=NOW, judge_query=lambda query: judged)
    return [(each.severity, str(each.problem)) for each in findings]


def test_good_manifest_has_no_findings() -> None:
    assert found(manifest(minReplicas=None, metrics=[])) == []


def test_typo_is_an_error_and_hides_what_follows_from_it() -> None:
    assert found(manifest(minReplica=2, pollingInterval="soon")) == [
        (Severity.ERROR, "spec.minReplica: unknown field: did you mean minReplicas?")
    ]


def test_what_the_models_refuse_is_an_error() -> None:
    assert found(manifest(pollingInterval="500ms")) == [
        (Severity.ERROR, "spec.pollingInterval: must be at least 1s")
    ]


def test_pitfall_is_a_warning() -> None:
    (finding,) = found(manifest(maxReplicas=1))
    assert finding[0] is Severity.WARNING


def test_query_is_judged_by_whoever_knows_queries() -> None:
    body = manifest(signals={"queueDepth": {"query": "sum("}})
    assert found(body, judged="is not PromQL") == [
        (Severity.WARNING, "spec.signals.queueDepth.query: is not PromQL")
    ]


@pytest.mark.parametrize("metadata", [None, {}, "research"])
def test_policy_without_a_name_is_an_error(metadata: Any) -> None:
    assert (Severity.ERROR, "metadata.name: is missing: give the policy a name") in found(
        manifest() | {"metadata": metadata}
    )


def test_unknown_version_is_an_error() -> None:
    (finding,) = found(manifest() | {"apiVersion": "agentscaler.dev/v1"})
    assert finding == (
        Severity.ERROR,
        "apiVersion: unknown version: write agentscaler.dev/v1alpha1",
    )


@pytest.mark.parametrize(
    ("body", "ours"),
    [
        (manifest(), True),
        (manifest() | {"apiVersion": "agentscaler.dev/v9"}, True),
        (manifest() | {"apiVersion": "v1"}, False),
        ({"kind": "ConfigMap"}, False),
        (None, False),
        ([], False),
    ],
)
def test_only_policies_are_ours(body: Any, *, ours: bool) -> None:
    assert linting.is_policy(body) is ours
