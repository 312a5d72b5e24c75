"""Alerts and dashboard speak of metrics that the operator exports, and of pages that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from rich.console import Console

from agentscaler.api.status import ConditionType
from agentscaler.report import figures
from agentscaler.report.telemetry import Telemetry
from tests.bed import builds
from tests.bed.tools import Tool
from tests.contract.test_docs_links import anchor

ROOT = Path(__file__).parents[2]
FILES = ROOT / "helm" / "agentscaler" / "files"
PAGE = ROOT / "docs" / "operating.md"
RULES = yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((FILES / "dashboard.json").read_text())
# What Grafana fills in.
FILLED_IN = {"$__rate_interval": "5m", "$namespace": ".*", "$policy": ".*"}


def exported() -> dict[str, set[str]]:
    """Give the labels of every metric of the operator, by its name in queries."""
    collectors = Telemetry("test").registry._names_to_collectors
    found = {
        name: {*vars(collector)["_labelnames"], "le" if name.endswith("_bucket") else ""}
        for name, collector in collectors.items()
    }
    for family in figures.FAMILIES:
        found[family.name] = {"policy", family.label}
    for labels in found.values():
        labels.add("namespace")  # of the operator's pod, unless it is a policy's
    return found


def queries() -> Iterator[str]:
    for rule in RULES:
        yield rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            text = target["expr"]
            for name, value in FILLED_IN.items():
                text = text.replace(name, value)
            yield text


def selectors(query: str) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def note(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector) and node.name is not None:
            found.append(node)

    promql_parser.walk(promql_parser.parse(query), note)
    return found


@pytest.mark.parametrize("query", sorted(set(queries())))
def test_query_reads_what_the_operator_exports(query: str) -> None:
    known = exported()
    found = selectors(query)
    assert found or query.startswith("vector(")
    for selector in found:
        assert selector.name in known
        assert {each.name for each in selector.matchers.matchers} <= known[selector.name]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_alert_links_to_its_paragraph_in_the_runbook(rule: dict[str, Any]) -> None:
    headings = re.findall(r"^### (\w+)$", PAGE.read_text(), re.MULTILINE)
    assert rule["alert"] in headings
    link = rule["annotations"]["runbook_url"]
    assert link == f"docs/operating.md#{anchor(rule['alert'])}"
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_what_keeps_fleets_from_being_scaled_is_critical() -> None:
    critical = {each["alert"] for each in RULES if each["labels"]["severity"] == "critical"}
    assert {"AgentscalerDown", "AgentscalerNoLeader", "AgentscalerStatusNotWritten"} <= critical


def test_no_paragraph_tells_of_an_alert_that_is_gone() -> None:
    told = re.findall(r"^### (Agentscaler\w+)$", PAGE.read_text(), re.MULTILINE)
    assert told == [rule["alert"] for rule in RULES]


def test_alerts_name_conditions_that_exist() -> None:
    named = re.findall(r'condition="(\w+)"', (FILES / "alerts.yaml").read_text())
    assert named
    assert set(named) <= set(ConditionType)


def test_promtool_accepts_the_alerts() -> None:
    builds.ensure(Console(stderr=True), ("promtool",))
    promtool = Tool(Path(builds.locate("promtool")), {})
    said = promtool("check", "rules", FILES / "alerts.yaml")
    assert f"{len(RULES)} rules found" in said


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not taken & cells
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_pod_monitor_of_the_manual_selects_the_pods_of_the_quickstart() -> None:
    blocks = [
        yaml.safe_load(part.split("```")[0]) for part in PAGE.read_text().split("```yaml\n")[1:]
    ]
    (monitor,) = [each for each in blocks if each.get("kind") == "PodMonitor"]
    agent = yaml.safe_load((ROOT / "examples" / "quickstart" / "agent.yaml").read_text())
    pod = agent["spec"]["template"]
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= pod["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (port,) = pod["spec"]["containers"][0]["ports"]
    assert endpoint["port"] == port["name"]
    assert str(port["containerPort"]) == pod["metadata"]["annotations"]["prometheus.io/port"]
