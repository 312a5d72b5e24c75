"""Every row of the table of faults names a test that exists, and every test of the folder a row."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests" / "faults" / "README.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    found = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, found)}


def test_every_row_names_a_test() -> None:
    named = NAMED.findall(TABLE.read_text())
    assert len(named) > 30
    missing = [f"{path}::{name}" for path, name in named if name not in names_in(ROOT / path)]
    assert missing == []


def test_every_test_of_the_folder_has_a_row() -> None:
    named = set(NAMED.findall(TABLE.read_text()))
    for path in (ROOT / "tests" / "faults").glob("test_*.py"):
        where = str(path.relative_to(ROOT))
        tests = {(where, name) for name in names_in(path) if name.startswith("test_")}
        assert tests <= named
