"""What a real API server makes of manifests: good ones pass, bad ones come back with the fix."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentscaler.api import crd
from agentscaler.api.structural import nodes_of
from tests.bed import Bed, BedError

pytestmark = pytest.mark.e2e

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*.yaml"))


def policy(**spec: Any) -> str:
    """Write a manifest of a policy."""
    body = {
        "apiVersion": "agentscaler.dev/v1alpha1",
        "kind": "AgentScalingPolicy",
        "metadata": {"name": "tried"},
        "spec": {"scaleTargetRef": {"name": "research"}, **spec},
    }
    return yaml.safe_dump(body, sort_keys=False)


def refusal(cluster: Bed, manifest: str) -> str:
    """Give what kubectl tells the author of a manifest that must not pass."""
    with pytest.raises(BedError) as refused:
        cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=manifest)
    return str(refused.value)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_example_applies(installed: Bed, path: Path) -> None:
    assert "dry run" in installed.kubectl("apply", "--dry-run=server", "-f", str(path))


SCHEDULE = {"name": "day", "start": "0 7 * * *", "end": "0 20 * * *", "minReplicas": 2}
METRIC = {"name": "tickets", "query": "sum(tickets)", "target": {"perReplica": 20}}
GATE = {"name": "database", "query": "max(used)", "above": "90%"}

REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "target-missing": ({"scaleTargetRef": None}, "spec.scaleTargetRef", "Required value"),
    "target-name-missing": ({"scaleTargetRef": {}}, "spec.scaleTargetRef.name", "Required value"),
    "target-name-of-no-object": (
        {"scaleTargetRef": {"name": "My Agent"}},
        "spec.scaleTargetRef.name",
        "lowercase letters, digits, '-' and '.'",
    ),
    "target-kind-in-lowercase": (
        {"scaleTargetRef": {"name": "research", "kind": "deployment"}},
        "spec.scaleTargetRef.kind",
        "such as Deployment",
    ),
    "target-version-missing": (
        {"scaleTargetRef": {"name": "research", "apiVersion": "apps"}},
        "spec.scaleTargetRef.apiVersion",
        "such as apps/v1",
    ),
    "bounds-crossed": (
        {"minReplicas": 12},
        "spec.minReplicas",
        "lower minReplicas or raise maxReplicas",
    ),
    "minimum-negative": ({"minReplicas": -1}, "spec.minReplicas", "greater than or equal to 0"),
    "maximum-zero": ({"maxReplicas": 0}, "spec.maxReplicas", "greater than or equal to 1"),
    "maximum-text": ({"maxReplicas": "10"}, "spec.maxReplicas", "must be of type integer"),
    "mode-unknown": ({"mode": "Automatic"}, "spec.mode", '"Auto", "Recommend", "Paused"'),
    "interval-in-words": ({"pollingInterval": "soon"}, "spec.pollingInterval", "like 30s, 15m"),
    "interval-below-a-second": (
        {"pollingInterval": "500ms"},
        "spec.pollingInterval",
        "must be at least 1s",
    ),
    "interval-empty": ({"pollingInterval": ""}, "spec.pollingInterval", "like 30s, 15m"),
    "season-below-a-minute": (
        {"prediction": {"season": "59s"}},
        "spec.prediction.season",
        "must be at least 1m",
    ),
    "deadline-zero": ({"startupDeadline": "0s"}, "spec.startupDeadline", "longer than 0s"),
    "field-misspelt": ({"minReplica": 2}, "spec.minReplica", "unknown field"),
    "field-misspelt-deep": (
        {"demand": {"scaleup": {}}},
        "spec.demand.scaleup",
        "unknown field",
    ),
    "two-strategies": (
        {"demand": {}, "threshold": {}},
        "spec.threshold",
        "set demand or threshold, not both",
    ),
    "share-as-float": (
        {"demand": {"targetUtilization": 0.7}},
        "spec.demand.targetUtilization",
        "must be of type",
    ),
    "share-in-words": (
        {"demand": {"targetUtilization": "most"}},
        "spec.demand.targetUtilization",
        "above 0% and at most 100%",
    ),
    "share-above-all": (
        {"demand": {"targetUtilization": 170}},
        "spec.demand.targetUtilization",
        "above 0% and at most 100%",
    ),
    "share-of-nothing": (
        {"threshold": {"scaleUp": {"utilization": "0%"}}},
        "spec.threshold.scaleUp.utilization",
        "above 0% and at most 100%",
    ),
    "attainment-of-all": (
        {"demand": {"wait": {"attainment": "100%"}}},
        "spec.demand.wait.attainment",
        "above 0% and below 100%",
    ),
    "step-in-words": (
        {"demand": {"scaleUp": {"maxStep": "half"}}},
        "spec.demand.scaleUp.maxStep",
        "a number of replicas like 4, or a share like 25%",
    ),
    "spare-in-words": (
        {"demand": {"spare": "some"}},
        "spec.demand.spare",
        "a number of replicas like 2, a share like 25%, or Auto",
    ),
    "step-negative": (
        {"demand": {"scaleDown": {"maxStep": -2}}},
        "spec.demand.scaleDown.maxStep",
        "a number of replicas like 4, or a share like 25%",
    ),
    "lookahead-in-words": (
        {"prediction": {"lookahead": "auto"}},
        "spec.prediction.lookahead",
        "write Auto, or a time",
    ),
    "server-without-scheme": (
        {"prometheus": {"serverAddress": "thanos:9090"}},
        "spec.prometheus.serverAddress",
        "such as http://thanos.monitoring:9090",
    ),
    "signal-twice": (
        {"signals": {"queueDepth": {"query": "sum(a)", "metric": "a"}}},
        "spec.signals.queueDepth",
        "set query or metric, not both",
    ),
    "metric-is-promql": (
        {"signals": {"queueDepth": {"metric": "sum(a)"}}},
        "spec.signals.queueDepth.metric",
        "PromQL belongs into query",
    ),
    "capacity-twice": (
        {"signals": {"capacity": {"perReplica": 4, "metric": "a"}}},
        "spec.signals.capacity",
        "set one of perReplica, query and metric",
    ),
    "capacity-negative": (
        {"signals": {"capacity": {"perReplica": "-4"}}},
        "spec.signals.capacity.perReplica",
        "an amount greater than 0",
    ),
    "target-of-metric-missing": (
        {"metrics": [METRIC | {"target": {}}]},
        "spec.metrics[0].target",
        "set exactly one of perReplica, value and utilization",
    ),
    "target-of-metric-zero": (
        {"metrics": [METRIC | {"target": {"perReplica": "0"}}]},
        "spec.metrics[0].target.perReplica",
        "an amount greater than 0",
    ),
    "utilization-fraction": (
        {"metrics": [METRIC | {"target": {"utilization": "0.8"}}]},
        "spec.metrics[0].target.utilization",
        "a whole percentage from 1% to 100%",
    ),
    "metric-name-twice": ({"metrics": [METRIC, METRIC]}, "spec.metrics[1]", "Duplicate value"),
    "metrics-too-many": (
        {"metrics": [METRIC | {"name": f"m{number}"} for number in range(11)]},
        "spec.metrics",
        "must have at most 10 items",
    ),
    "query-empty": ({"metrics": [METRIC | {"query": ""}]}, "spec.metrics[0].query", "at least 1"),
    "query-endless": (
        {"metrics": [METRIC | {"query": "a" * 2049}]},
        "spec.metrics[0].query",
        "may not be more than 2048",
    ),
    "gate-name-of-no-kind": (
        {"gates": [GATE | {"name": "The Database"}]},
        "spec.gates[0].name",
        "such as open-tickets",
    ),
    "gate-two-limits": (
        {"gates": [GATE | {"below": "10%"}]},
        "spec.gates[0]",
        "set exactly one of above and below",
    ),
    "gate-fraction": ({"gates": [GATE | {"above": "0.9"}]}, "spec.gates[0].above", "like 80%"),
    "provider-of-two-sources": (
        {
            "limits": {
                "providers": [{"name": "a", "rateLimitedRatio": {"query": "b", "metric": "c"}}]
            }
        },
        "spec.limits.providers[0].rateLimitedRatio",
        "set query or metric, not both",
    ),
    "provider-twice": (
        {"limits": {"providers": [{"name": "a"}, {"name": "a"}]}},
        "spec.limits.providers[1]",
        "Duplicate value",
    ),
    "ceiling-fraction": (
        {"limits": {"providers": [{"name": "a", "ceiling": "0.05"}]}},
        "spec.limits.providers[0].ceiling",
        "a whole percentage from 1% to 100%",
    ),
    "budget-soft-above-hard": (
        {"limits": {"budget": {"replicaHourCost": "0.4", "soft": "2k", "hard": 120}}},
        "spec.limits.budget.soft",
        "soft must not exceed hard",
    ),
    "budget-without-end": (
        {"limits": {"budget": {"replicaHourCost": "0.4"}}},
        "spec.limits.budget.hard",
        "Required value",
    ),
    "fallback-without-count": (
        {"fallback": {"behavior": "Static"}},
        "spec.fallback.replicas",
        "set fallback.replicas",
    ),
    "schedule-without-bounds": (
        {"schedules": [{key: SCHEDULE[key] for key in ("name", "start", "end")}]},
        "spec.schedules[0]",
        "needs minReplicas, maxReplicas or both",
    ),
    "schedule-bounds-crossed": (
        {"schedules": [SCHEDULE | {"maxReplicas": 1}]},
        "spec.schedules[0].minReplicas",
        "lower minReplicas or raise maxReplicas",
    ),
    "schedule-with-four-fields": (
        {"schedules": [SCHEDULE | {"start": "0 7 * *"}]},
        "spec.schedules[0].start",
        "write five fields, minute hour day month weekday",
    ),
    "schedule-zone-in-words": (
        {"schedules": [SCHEDULE | {"timezone": "Berlin time"}]},
        "spec.schedules[0].timezone",
        "such as Europe/Berlin",
    ),
    "override-of-nothing": (
        {"override": {"until": "2099-01-01T00:00:00Z"}},
        "spec.override",
        "sets either replicas, or minReplicas and maxReplicas",
    ),
    "override-without-zone": (
        {"override": {"replicas": 2, "until": "2099-01-01T00:00:00"}},
        "spec.override.until",
        "such as 2026-12-01T00:00:00Z",
    ),
    "override-without-end": (
        {"override": {"replicas": 2}},
        "spec.override.until",
        "Required value",
    ),
}


@pytest.mark.parametrize(("spec", "field", "fix"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_manifest_is_refused_with_field_and_fix(
    installed: Bed, spec: dict[str, Any], field: str, fix: str
) -> None:
    said = refusal(installed, policy(**spec))
    assert field in said
    assert fix in said
    # An expression that fails instead of answering says nothing to an author.
    assert "evaluation error" not in said


def test_defaults_are_filled_in_only_where_an_object_was_written(installed: Bed) -> None:
    stored = json.loads(
        installed.kubectl(
            "create", "--dry-run=server", "-o", "json", "-f", "-",
            stdin=policy(demand={}, metrics=[METRIC]),
        )
    )["spec"]  # fmt: skip
    assert (stored["minReplicas"], stored["maxReplicas"], stored["mode"]) == (1, 10, "Auto")
    assert stored["pollingInterval"] == "15s"
    assert stored["demand"] == {
        "targetUtilization": "100%",
        "drainBacklogWithin": "1m",
        "spare": 0,
    }
    assert stored["metrics"][0]["emptyResult"] == "Unknown"
    assert not {"signals", "prediction", "fallback", "threshold"} & stored.keys()


def test_servers_that_ignore_the_length_of_int_or_string_accept_the_rules(installed: Bed) -> None:
    """Before Kubernetes 1.35 the cost of a rule was estimated for the longest possible text."""
    definition = crd.definition()
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for _, node in nodes_of(schema):
        if "x-kubernetes-int-or-string" in node:
            node.pop("maxLength")  # type: ignore[attr-defined]
    installed.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-",
        stdin=yaml.safe_dump(definition),
    )  # fmt: skip


def _explainable() -> list[str]:
    paths = (path for path, _ in nodes_of(crd.resource_schema()))
    return [re.sub(r"\[\]|\{\}", "", path) for path in paths if not path.endswith(("[]", "{}"))]


def test_every_field_is_explained(installed: Bed) -> None:
    """One call shows the whole tree; the text of each field comes from the published schema."""
    shown = installed.kubectl("explain", "asp", "--recursive")
    for path in _explainable()[1:]:
        assert f"{path.rpartition('.')[2]}\t<" in shown
    published = json.loads(
        installed.kubectl("get", "--raw", "/openapi/v3/apis/agentscaler.dev/v1alpha1")
    )
    schema = published["components"]["schemas"]["dev.agentscaler.v1alpha1.AgentScalingPolicy"]
    silent = [
        path
        for path, node in nodes_of(schema)
        if not path.startswith(".metadata") and not node.get("description")
        if not path.endswith(("[]", "{}"))
    ]
    assert silent == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("asp", "Says how a workload of LLM agents is scaled"),
        ("asp.spec.demand", "Strategy 1, the default"),
        ("asp.spec.metrics.target.perReplica", "replicas = metric / perReplica"),
        ("asp.status.conditions.reason", "Why, for machines."),
    ],
)
def test_explain_tells_a_field(installed: Bed, path: str, text: str) -> None:
    assert text in " ".join(installed.kubectl("explain", path).split())


def test_one_line_tells_a_policy(installed: Bed) -> None:
    installed.kubectl("create", "namespace", "columns")
    try:
        installed.kubectl("-n", "columns", "apply", "-f", "-", stdin=policy(maxReplicas=7))
        plain = installed.kubectl("-n", "columns", "get", "asp").splitlines()
        wide = installed.kubectl("-n", "columns", "get", "asp", "-o", "wide").splitlines()
        every = installed.kubectl("-n", "columns", "get", "agents,all", "-o", "name")
        selected = installed.kubectl(
            "-n", "columns", "get", "asp", "--field-selector", "spec.scaleTargetRef.name=research"
        )
    finally:
        installed.kubectl("delete", "namespace", "columns", "--wait=false")
    assert plain[0].split() == [
        "NAME", "TARGET", "MIN", "MAX", "CURRENT", "DESIRED", "MODE", "REASON", "AGE",
    ]  # fmt: skip
    assert plain[1].split()[:4] == ["tried", "research", "1", "7"]
    assert wide[0].split()[-2:] == ["READY", "MESSAGE"]
    assert "agentscalingpolicy.agentscaler.dev/tried" in every
    assert "tried" in selected
