"""Check a manifest before it is applied: what would be refused, and the pitfalls. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import ValidationError

from agentscaler.analyze import pitfalls, timetables
from agentscaler.api import crd
from agentscaler.api.misfits import misfits, without_nulls
from agentscaler.api.policy import PolicySpec, problems_of
from agentscaler.api.problems import Problem
from agentscaler.conventions import API_VERSION, GROUP, KIND


class Severity(StrEnum):
    """Whether the API server or the operator refuses it, or it merely disappoints."""

    ERROR = "error"
    WARNING = "warning"


class Finding(NamedTuple):
    """One problem and how bad it is."""

    severity: Severity
    problem: Problem


def is_policy(manifest: Any) -> bool:
    """Tell a manifest of our kind, in whatever version."""
    return (
        isinstance(manifest, Mapping)
        and manifest.get("kind") == KIND
        and str(manifest.get("apiVersion", "")).partition("/")[0] == GROUP
    )


def check(
    manifest: Mapping[str, Any],
    *,
    now: datetime,
    judge_query: Callable[[str], str],
    is_pruned: bool = False,
) -> tuple[Finding, ...]:
    """Find errors, or where there are none what may disappoint.

    `judge_query` says why a query cannot give one number, or nothing. In a manifest that
    `is_pruned` the API server left only what its own schema knows, which may be a newer one.
    """
    unknown = () if is_pruned else misfits(manifest, crd.resource_schema())
    if errors := [*_head(manifest), *unknown]:
        return tuple(Finding(Severity.ERROR, error) for error in errors)
    try:
        spec = PolicySpec.model_validate(without_nulls(manifest.get("spec", {})))
    except ValidationError as exc:
        return tuple(Finding(Severity.ERROR, problem) for problem in problems_of(exc))
    found = [
        *(
            problem
            for look in (*pitfalls.CHECKS, *timetables.CHECKS)
            for problem in look(spec, now)
        ),
        *(
            Problem(path, said)
            for path, query in pitfalls.queries_of(spec)
            if (said := judge_query(query))
        ),
    ]
    return tuple(Finding(Severity.WARNING, problem) for problem in found)


def _head(manifest: Mapping[str, Any]) -> list[Problem]:
    found = []
    if manifest["apiVersion"] != API_VERSION:
        found.append(Problem(("apiVersion",), f"unknown version: write {API_VERSION}"))
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping) or not (
        metadata.get("name") or metadata.get("generateName")
    ):
        found.append(Problem(("metadata", "name"), "is missing: give the policy a name"))
    return found
