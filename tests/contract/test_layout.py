"""The layout that everything relies on, and the traps in it."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GIT = shutil.which("git") or "git"
TOP_LEVEL = {
    ".ci", ".dockerignore", ".github", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md",
    "Containerfile", "LICENSE", "Makefile", "README.md", "crds", "docs", "examples", "helm",
    "operator", "pyproject.toml", "requirements-image.lock", "requirements.lock", "tests",
}  # fmt: skip


def test_source_root_is_no_package() -> None:
    """A package named `operator` would shadow the standard library's."""
    assert not (ROOT / "operator" / "__init__.py").exists()
    for start in ("import dataclasses", "import operator; operator.itemgetter(0)"):
        subprocess.run([sys.executable, "-c", start], cwd=ROOT, check=True)


def test_top_level_holds_nothing_without_a_reason() -> None:
    listed = subprocess.run(
        [GIT, "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert {path.split("/")[0] for path in listed.split("\0") if path} <= TOP_LEVEL


def test_no_module_is_named_like_a_drawer() -> None:
    drawers = {"utils", "helpers", "common", "misc", "base", "manager", "tools"}
    modules = {path.stem for path in (ROOT / "operator").rglob("*.py")}
    assert not modules & drawers


def test_no_module_is_longer_than_can_be_read() -> None:
    lengths = {
        path.relative_to(ROOT): len(path.read_text().splitlines())
        for path in (ROOT / "operator").rglob("*.py")
    }
    assert {path: length for path, length in lengths.items() if length > 400} == {}
