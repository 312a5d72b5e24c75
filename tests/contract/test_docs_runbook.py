"""Every reason that the operator can give has a paragraph in the runbook, and no other has one."""

import ast
import re
from pathlib import Path

from agentscaler.api.status import ConditionType, Reason
from agentscaler.report import recorder

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operating.md"
SECTION = re.compile(r"^## Runbook\n(.*?)^## ", re.DOTALL | re.MULTILINE)
PARAGRAPH = re.compile(r"^#### (\w+)\n\n(?=[^#\n])", re.MULTILINE)
CONDITION = re.compile(r"^### Condition (\w+)\n\n(?=[^#\n])", re.MULTILINE)
NAME = re.compile(r"([A-Z][a-z]+)+")
EVENTS = re.compile(r"worth an alert on the log: (.*)$", re.MULTILINE)
NO_REASONS = {"snapshot"}  # why a reading is missing is told in the sentence of MetricsMissing


def runbook() -> str:
    found = SECTION.search(PAGE.read_text())
    assert found is not None
    return found[1]


def reasons_of_reports() -> set[str]:
    return {value for name, value in vars(Reason).items() if name.isupper()}


def reasons_of_decisions() -> set[str]:
    """Find the reasons in the text of the stages: all names in CamelCase."""
    stages = (ROOT / "operator" / "agentscaler" / "decide").glob("*.py")
    return {
        node.value
        for path in stages
        if path.stem not in NO_REASONS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and NAME.fullmatch(node.value)
    }


def test_stages_have_reasons_that_are_found() -> None:
    assert {"Demand", "HighLatency", "GateClosed", "AtMaximum"} <= reasons_of_decisions()


def test_runbook_has_a_paragraph_for_every_reason() -> None:
    told = PARAGRAPH.findall(runbook())
    assert sorted(told) == sorted(reasons_of_reports() | reasons_of_decisions())


def test_runbook_has_a_paragraph_for_every_condition() -> None:
    assert sorted(CONDITION.findall(runbook())) == sorted(ConditionType)


def logged() -> set[str]:
    """Find the events of the log: the first argument of every call by the name of a level."""
    levels = {"debug", "info", "warning", "error", "exception"}
    return {
        node.args[0].value
        for path in (ROOT / "operator" / "agentscaler").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in levels
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def test_events_of_the_log_that_the_page_names_are_logged() -> None:
    page = PAGE.read_text()
    found = EVENTS.search(page)
    assert found is not None
    named = set(re.findall(r"`([a-z ]+)`", found[1]))
    named |= set(re.findall(r"log says `([a-z ]+)`", page, re.IGNORECASE))
    assert len(named) > 3
    assert named <= logged()


def test_page_tells_how_many_events_of_an_object_are_sent() -> None:
    seconds = round(1 / recorder._OBJECT_RATE)
    assert f"At most {recorder._OBJECT_BURST} at once and then one in {seconds} seconds" in (
        PAGE.read_text()
    )
