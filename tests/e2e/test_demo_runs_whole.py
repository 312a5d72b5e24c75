"""The short form of `make demo-full`: sessions survive scaling, and nothing stays behind."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.bed import BedConfig

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(BedConfig().cluster != "local", reason="the demo has a bed of its own")
def test_whole_demo_loses_no_session_and_leaves_nothing_behind() -> None:
    with tempfile.TemporaryDirectory(prefix="whole-") as folder:
        ran = subprocess.run(
            [sys.executable, "-m", "tests.demo.full", "--short"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": folder, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert figure(ran.stdout, "failed requests") == "0"
        assert figure(ran.stdout, "lost sessions") == "0"
        assert figure(ran.stdout, "mixed-up sessions") == "0"
        assert int(figure(ran.stdout, "requests").split()[0]) > 20
        assert list(Path(folder).iterdir()) == []
        assert working_in(folder) == []


def figure(printed: str, name: str) -> str:
    """Give what the table of figures says of one thing."""
    rows = [line.strip("│ ").split("│") for line in printed.splitlines() if line.startswith("│")]
    return {row[0].strip(): row[-1].strip() for row in rows}[name]


def working_in(folder: str) -> list[str]:
    """Name the processes whose working folder lies there, removed as it may be."""
    return [
        each.name()
        for each in psutil.process_iter(["cwd"])
        if (each.info["cwd"] or "").startswith(folder)
    ]
