from datetime import UTC, datetime
from typing import Any

import pytest

from agentscaler.act.managers import Writer, last_writer, path_of_count

REPLICAS: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:template": {}}}
TEMPLATE: dict[str, Any] = {"f:spec": {"f:template": {"f:spec": {}}}}


def entry(manager: str, fields: dict[str, Any], *, minute: int = 0, sub: str = "") -> Any:
    found = {"manager": manager, "operation": "Update", "fieldsV1": fields}
    found["time"] = f"2026-03-02T12:{minute:02}:00Z"
    return {**found, "subresource": sub} if sub else found


def at(minute: int) -> datetime:
    return datetime(2026, 3, 2, 12, minute, tzinfo=UTC)


def test_writer_is_who_holds_the_count() -> None:
    entries = [entry("kubectl", TEMPLATE, minute=9), entry("helm", REPLICAS, minute=3)]
    assert last_writer({"managedFields": entries}) == Writer("helm", at(3))


def test_writer_through_scale_is_named() -> None:
    scaled = entry("agentscaler", {"f:spec": {"f:replicas": {}}}, minute=5, sub="scale")
    entries = [entry("kubectl", TEMPLATE), scaled]
    assert last_writer({"managedFields": entries}) == Writer("agentscaler", at(5))


def test_newest_of_several_holders_counts() -> None:
    entries = [entry("helm", REPLICAS, minute=3), entry("argocd", REPLICAS, minute=8)]
    assert last_writer({"managedFields": entries}) == Writer("argocd", at(8))


def test_count_elsewhere_is_found_by_what_was_written_through_scale() -> None:
    size: dict[str, Any] = {"f:spec": {"f:size": {}}}
    fields: dict[str, Any] = {"f:metadata": {"f:x": {}}, **size}
    scaled = {"managedFields": [entry("agentscaler", fields, sub="scale")]}
    path = path_of_count(scaled)
    assert path == ("f:spec", "f:size")
    edited = {"managedFields": [entry("kubectl-edit", size, minute=7)]}
    assert last_writer(edited, path) == Writer("kubectl-edit", at(7))
    assert last_writer(edited) is None


def test_place_of_the_count_is_unknown_until_it_was_written_through_scale() -> None:
    odd = entry("odd", {"f:metadata": {"f:x": {}}}, sub="scale")
    assert path_of_count({"managedFields": [odd, entry("helm", REPLICAS)]}) is None


@pytest.mark.parametrize(
    "metadata",
    [{}, {"managedFields": None}, {"managedFields": [entry("kubectl", TEMPLATE)]}],
    ids=["no entries", "null", "others only"],
)
def test_nobody_is_named_when_nobody_holds_the_count(metadata: dict[str, Any]) -> None:
    assert last_writer(metadata) is None


def test_entry_without_time_is_the_oldest() -> None:
    timeless = {"manager": "kubectl", "fieldsV1": REPLICAS}
    entries = [timeless, entry("helm", REPLICAS)]
    assert last_writer({"managedFields": entries}) == Writer("helm", at(0))
    assert last_writer({"managedFields": [timeless]}) == Writer("kubectl", None)
