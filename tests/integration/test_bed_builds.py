"""Builds of the bed by the real Go, from a module proxy that is a folder with one small module."""

import contextlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.bed import BedError, builds, compiling, golang
from tests.bed.golang import Go
from tests.bed.lifeline import Lifeline
from tests.bed.progress import Progress
from tests.bed.tools import Tool
from tests.bed.versions import Module

PATH, VERSION = "example.invalid/greeter", "v1.2.3"
HELLO = """package main

import "os"

var version = "unset"

func main() { os.Stdout.WriteString(version) }
"""
SOURCES = {
    "go.mod": f"module {PATH}\n\ngo 1.21\n",
    "cmd/hello/main.go": HELLO,
    "cmd/broken/main.go": "package main\n\nfunc main() { undeclared() }\n",
    "share/words.txt": "hello\n",
}
GREETER = Module(
    name="greeter",
    path=PATH,
    version=VERSION,
    programs={name: f"{PATH}/cmd/{name}" for name in ("hello", "broken")},
    stamps={"main.version": VERSION},
    data="share",
)


@pytest.fixture(scope="module")
def go() -> Go:
    found = golang.at_hand(builds.cache())
    if not found:
        pytest.skip("no Go is at hand, and a test does not fetch one")
    return found


@pytest.fixture(autouse=True)
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Serve the module as Go's proxy protocol wants it, to a module cache of the test."""
    served = tmp_path / "proxy" / PATH / "@v"
    served.mkdir(parents=True)
    (served / f"{VERSION}.info").write_text(f'{{"Version": "{VERSION}"}}')
    (served / f"{VERSION}.mod").write_text(SOURCES["go.mod"])
    with zipfile.ZipFile(served / f"{VERSION}.zip", "w") as archive:
        for name, text in SOURCES.items():
            archive.writestr(f"{PATH}@{VERSION}/{name}", text)
    monkeypatch.setenv("GOPROXY", (tmp_path / "proxy").as_uri())
    monkeypatch.setenv("GONOSUMDB", "*")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    return served


def build(go: Go, program: str, folder: Path) -> str:
    """Build a program and return what was shown meanwhile."""
    shown = io.StringIO()
    progress = Progress(Console(file=shown), done=0, total=2)
    with contextlib.closing(Lifeline()) as lifeline, progress:
        compiling.build(go, GREETER, program, folder=folder, lifeline=lifeline, show=progress)
    return shown.getvalue()


@pytest.fixture
def folder(tmp_path: Path, go: Go) -> Iterator[Path]:
    yield tmp_path / "built"
    go.ask("clean", "-modcache", cwd=tmp_path)  # it is written read-only


def test_program_is_built_with_its_version_and_its_data(go: Go, folder: Path) -> None:
    shown = build(go, "hello", folder)
    assert Tool(folder / "bin" / "hello", {})() == VERSION
    assert (folder / "data" / "words.txt").read_text() == "hello\n"
    assert shown.splitlines()[0] == "building hello (1/2)"
    assert shown.splitlines()[1].startswith("built hello in ")


def test_failed_build_names_its_log_and_leaves_no_program(go: Go, folder: Path) -> None:
    log = folder / "logs" / "broken.log"
    with pytest.raises(BedError, match=r"building broken failed") as failure:
        build(go, "broken", folder)
    assert str(log) in str(failure.value)
    assert "undefined: undeclared" in str(failure.value)
    assert list((folder / "bin").iterdir()) == []


def test_module_that_is_not_to_be_had_is_said_in_a_sentence(
    go: Go, folder: Path, proxy: Path
) -> None:
    for file in proxy.iterdir():
        file.unlink()
    with pytest.raises(BedError, match=rf"(?s)go mod download .*failed: .*{VERSION}"):
        build(go, "hello", folder)
