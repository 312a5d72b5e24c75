"""Every threat has a test, and the tests that are named exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()


def test_every_threat_names_tests_that_exist() -> None:
    rows = re.findall(
        r"^\| (.+) \| (.+) \| (.+) \|$", PAGE.partition("## Threats")[2], re.MULTILINE
    )
    threats = [row for row in rows if "`test_" in row[2]]
    assert len(threats) > 10
    existing = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    named = {name for _, _, tests in threats for name in re.findall(r"`(test_\w+\.py)`", tests)}
    assert named <= existing


def test_no_threat_is_without_a_test() -> None:
    table = PAGE.partition("| Threat |")[2].partition("\n\n")[0]
    rows = [line for line in table.splitlines()[2:] if line]
    assert rows
    assert all("`test_" in line.rpartition(" | ")[2] for line in rows)


def test_make_verbs_that_are_named_exist() -> None:
    verbs = set(re.findall(r"^([a-z0-9-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", PAGE)) <= verbs
