from typing import Any

import pytest

from agentscaler.act.scale import Scale
from agentscaler.act.workloads import (
    is_replacing,
    is_seen,
    read_plain,
    read_scaled,
    selector_text,
)

ROLLING = {"type": "RollingUpdate"}


def scale(replicas: int, running: int) -> Scale:
    return Scale(replicas, running, "app=x", "u", "7")


def body(spec: dict[str, Any], status: dict[str, Any], generation: int = 3) -> dict[str, Any]:
    metadata = {"namespace": "agents", "name": "agent", "uid": "u", "resourceVersion": "7"}
    return {"metadata": {**metadata, "generation": generation}, "spec": spec, "status": status}


def test_deployment_is_read_with_its_counts() -> None:
    spec = {"replicas": 3, "strategy": ROLLING, "selector": {"matchLabels": {"app": "a"}}}
    status = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 2, "observedGeneration": 3}
    target = read_plain(body(spec, status))
    assert (target.replicas, target.ready, target.updated) == (3, 2, 3)
    assert (target.rolling_out, target.selector, target.writer) == (False, "app=a", None)
    assert (target.uid, target.resource_version) == ("u", "7")


def test_deployment_without_counts_asks_for_one() -> None:
    target = read_plain({"metadata": {"uid": "u", "resourceVersion": "7"}})
    assert (target.replicas, target.ready) == (1, 0)


def test_targets_that_differ_only_in_version_are_equal() -> None:
    older, newer = body({}, {}), body({}, {})
    newer["metadata"]["resourceVersion"] = "8"
    assert read_plain(older) == read_plain(newer)


@pytest.mark.parametrize(
    ("observed", "seen"),
    [(2, False), (3, True), ("2", False), ("3", True), ("6f9c", True), (None, True)],
    ids=["behind", "there", "behind as text", "there as text", "a hash", "says nothing"],
)
def test_controller_that_lags_behind_the_spec_is_told(observed: object, seen: bool) -> None:
    status = {} if observed is None else {"observedGeneration": observed}
    assert is_seen(body({}, status)) is seen
    assert read_plain(body({}, status)).rolling_out is not seen


def test_rollout_is_seen_from_its_first_moment() -> None:
    assert is_replacing({"strategy": ROLLING}, {"replicas": 3})
    assert is_replacing({"strategy": ROLLING}, {"replicas": 3, "updatedReplicas": 2})
    assert not is_replacing({"strategy": ROLLING}, {"replicas": 3, "updatedReplicas": 3})
    assert not is_replacing({"strategy": ROLLING}, {})


@pytest.mark.parametrize(
    ("status", "mixed"),
    [
        ({"replicas": 13, "updatedReplicas": 5}, True),
        ({"replicas": 5, "updatedReplicas": 5}, False),
        ({"replicas": 5}, True),
        ({}, False),
    ],
    ids=["stuck", "whole", "none of the newest", "new"],
)
def test_revisions_side_by_side_are_told_however_their_rollout_stands(
    status: dict[str, Any], mixed: bool
) -> None:
    failed = [{"type": "Progressing", "status": "False"}]
    target = read_plain(body({"strategy": ROLLING}, {**status, "conditions": failed}))
    assert (target.mixed, target.rolling_out) == (mixed, False)


def test_replicas_that_go_from_the_last_on_are_never_mixed() -> None:
    status = {"replicas": 5, "updatedReplicas": 2, "updateRevision": "b"}
    assert not read_plain(body({"updateStrategy": ROLLING}, status)).mixed


@pytest.mark.parametrize(
    ("status", "mixed"),
    [({}, False), ({"updatedReplicas": 2}, True), ({"updatedReplicas": 5}, False)],
    ids=["says nothing", "says two", "says all"],
)
def test_kind_of_its_own_is_mixed_only_if_it_says_so(status: dict[str, Any], mixed: bool) -> None:
    custom = body({"strategy": {"type": "RollingUpdate"}}, {"replicas": 5, **status})
    assert read_scaled(custom, scale(5, 5)).mixed is mixed


def test_kind_that_never_replaces_is_never_rolling_out() -> None:
    assert not is_replacing({}, {"replicas": 3})


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        ({"paused": True, "strategy": ROLLING}, {}),
        ({"updateStrategy": {"type": "OnDelete"}}, {"updateRevision": "b"}),
        ({"strategy": ROLLING}, {"conditions": [{"type": "Progressing", "status": "False"}]}),
        ({"updateStrategy": {"rollingUpdate": {"partition": 2}}}, {"updateRevision": "b"}),
    ],
    ids=["paused", "on delete", "stuck", "held back by a partition"],
)
def test_rollout_that_is_held_does_not_count(spec: dict[str, Any], status: dict[str, Any]) -> None:
    assert not is_replacing(spec, {"replicas": 3, "updatedReplicas": 1, **status})


def test_statefulset_with_one_revision_is_done() -> None:
    spec = {"updateStrategy": ROLLING}
    status = {"replicas": 3, "updatedReplicas": 0, "currentRevision": "a"}
    assert not is_replacing(spec, {**status, "updateRevision": "a"})
    assert is_replacing(spec, {**status, "updateRevision": "b"})


def test_other_kind_is_read_beside_its_scale() -> None:
    plain = read_scaled(body({}, {}), scale(4, 3))
    assert (plain.replicas, plain.ready, plain.rolling_out, plain.selector) == (
        4,
        3,
        False,
        "app=x",
    )
    ready = read_scaled(body({}, {"readyReplicas": 1}), scale(4, 3))
    assert ready.ready == 1


def test_other_kind_is_rolling_out_only_if_it_counts_updated_replicas() -> None:
    spec: dict[str, Any] = {"strategy": {"canary": {}}}
    silent = body(spec, {"replicas": 3})
    telling = body(spec, {"replicas": 3, "updatedReplicas": 1})
    assert not read_scaled(silent, scale(3, 3)).rolling_out
    assert read_scaled(telling, scale(3, 3)).rolling_out


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        ({"app": "x"}, "app=x"),
        ({}, ""),
        (
            {
                "matchLabels": {"a": "1"},
                "matchExpressions": [
                    {"key": "t", "operator": "In", "values": ["x", "y"]},
                    {"key": "u", "operator": "NotIn", "values": ["z"]},
                    {"key": "v", "operator": "Exists"},
                    {"key": "w", "operator": "DoesNotExist"},
                ],
            },
            "a=1,t in (x,y),u notin (z),v,!w",
        ),
    ],
    ids=["labels", "bare labels", "empty", "expressions"],
)
def test_selector_is_written_as_list_requests_take_it(selector: dict[str, Any], text: str) -> None:
    assert selector_text(selector) == text


@pytest.mark.parametrize(("spec", "first"), [({}, 0), ({"ordinals": {"start": 5}}, 5)])
def test_pods_are_numbered_from_where_the_workload_says(spec: dict[str, Any], first: int) -> None:
    assert read_plain(body({"updateStrategy": ROLLING, **spec}, {})).first_number == first
