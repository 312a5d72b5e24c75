"""Every system of the README has traps in docs/traps.md, and each names a test that is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "traps.md").read_text()
README = (ROOT / "README.md").read_text()
ROW = re.compile(r"^\| ([\w ]+?) \| (.+?) \| `(tests/[\w/]+\.py)::(\w+)` \|$", re.MULTILINE)
ROWS = ROW.findall(PAGE)


def systems() -> list[str]:
    """Give the systems in the order of the README's table."""
    table = README.split("## Its twelve systems")[1].split("\n## ")[0]
    return re.findall(r"^\| ([A-Z][\w ]+?) \| \[", table, re.MULTILINE)


def test_every_system_has_its_traps() -> None:
    told = list(dict.fromkeys(system for system, *_ in ROWS))
    assert len(told) == 12
    assert told == systems()
    assert len(ROWS) == sum(line.startswith("| ") for line in PAGE.splitlines()) - 1


@pytest.mark.parametrize(("trap", "path", "test"), [row[1:] for row in ROWS])
def test_trap_names_a_test_that_is_there(trap: str, path: str, test: str) -> None:
    assert re.search(rf"def {test}\(", (ROOT / path).read_text()), f"{trap}: {path}::{test}"
