"""Clusters of real pods: what is said where there is none, and what their images hold."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bed import __main__ as command
from tests.bed import images

ROOT = Path(__file__).parents[3]
OF_DEVELOPMENT = {"psutil", "pytest", "tests.bed.bed"}


def test_missing_kind_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("CLUSTER", "kind")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command.main(["lacks"]) == 0
    assert capsys.readouterr().out == "CLUSTER=kind: kind is not on PATH\n"


def test_staged_fleet_starts_with_what_the_operator_image_has(tmp_path: Path) -> None:
    images.stage_fleet(tmp_path)
    loaded = subprocess.run(
        [sys.executable, "-c", "import tests.bed.fleet.__main__, sys; print(*sys.modules)"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "operator")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert "tests.bed.fleet.playing" in loaded
    assert OF_DEVELOPMENT.isdisjoint(loaded)
