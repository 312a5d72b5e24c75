"""Every trap of docs/gateway.md names a test that is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "gateway.md"
ROW = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_trap_names_a_test_that_is_there() -> None:
    traps = PAGE.read_text().split("## Traps")[1].split("\n## ")[0]
    rows = [line for line in traps.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 10
    for row in rows:
        named = ROW.findall(row)
        assert named, row
        for path, test in named:
            assert re.search(rf"def {test}\(", (ROOT / path).read_text()), f"{path}::{test}"
