"""The images that a cluster with real pods is given.

`make images` builds them into archives: the operator's as anybody gets it, and the bed's own on
top of it, with what the tests need beside the operator (see the Containerfile beside this file).
A cluster that is not ours pulls them: push both, and name them by E2E_IMAGE and E2E_BED_IMAGE.
"""

import os
import shutil
from pathlib import Path

from rich.console import Console

from tests.bed import builds
from tests.bed.errors import BedError

ROOT = Path(__file__).parents[2]
ARCHIVES = ROOT / "build" / "images"

# With a registry's name: podman would add one of its own, and kubelets another.
IMAGE = os.environ.get("E2E_IMAGE") or "localhost/agentscaler:e2e"
BED_IMAGE = os.environ.get("E2E_BED_IMAGE") or "localhost/agentscaler-bed:e2e"

_PROGRAMS = ("prometheus", "promtool")
# The packages' own `__init__` stay behind: they import what starts a bed and a fleet.
_PLAYING = ("fleet/[a-z]*.py", "fleet/__main__.py", "ports.py", "errors.py")


def archives() -> list[Path]:
    """List the archives; fail when they have not been made."""
    found = sorted(ARCHIVES.glob("*.tar"))
    if not found:
        raise BedError(f"there are no images in {ARCHIVES}: make images")
    return found


def stage(folder: Path, console: Console) -> None:
    """Gather what the bed's image is built from."""
    builds.ensure(console, _PROGRAMS)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bin").mkdir(parents=True)
    for program in _PROGRAMS:
        shutil.copy2(builds.locate(program), folder / "bin")
    stage_fleet(folder)


def stage_fleet(folder: Path) -> None:
    """Gather the modules of the fleet's process; the operator's image has what they import."""
    here = Path(__file__).parent
    for pattern in _PLAYING:
        for module in here.glob(pattern):
            copy = folder / "tests" / "bed" / module.relative_to(here)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(module, copy)
