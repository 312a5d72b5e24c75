"""Every reason that the operator can give has a paragraph in the runbook, and no other has one."""

import ast
import re
from pathlib import Path

from agentscaler.api.status import ConditionType, Reason

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operating.md"
SECTION = re.compile(r"^## Runbook\n(.*?)^## ", re.DOTALL | re.MULTILINE)
PARAGRAPH = re.compile(r"^#### (\w+)\n\n(?=[^#\n])", re.MULTILINE)
CONDITION = re.compile(r"^### Condition (\w+)\n\n(?=[^#\n])", re.MULTILINE)
NAME = re.compile(r"([A-Z][a-z]+)+")
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
