"""Build one program of one Go module.

A build is a `go.mod` in the cache that names the module, and the ordinary `go build` of a package.
"""

import json
import re
import shutil
from pathlib import Path

from tests.bed.errors import BedError
from tests.bed.golang import Go
from tests.bed.lifeline import Lifeline
from tests.bed.processes import tail
from tests.bed.progress import Progress
from tests.bed.versions import Module

_STAGING = re.compile(r"^\s*(\S+) => \./staging/", re.MULTILINE)
_REPLACED = re.compile(r"^replace \S.* => [^.\s].*$", re.MULTILINE)


def build(
    go: Go, module: Module, program: str, *, folder: Path, lifeline: Lifeline, show: Progress
) -> None:
    """Build one program into `folder/bin`, all of it or nothing; the log stays in `folder/logs`."""
    log = folder / "logs" / f"{program}.log"
    for each in (log.parent, folder / "bin"):
        each.mkdir(parents=True, exist_ok=True)
    if not (folder / "go.mod").exists():
        (folder / "go.mod").write_text(_go_mod(go, module))
    fresh = folder / "bin" / f".{program}"
    stamps = " ".join(f"-X {name}={value}" for name, value in module.stamps.items())
    argv: list[str | Path] = [
        *(go.program, "build", "-trimpath", f"-tags={module.tags}", f"-ldflags=-s -w {stamps}"),
        *("-o", fresh, module.programs[program]),
    ]
    log.write_text("")
    process = lifeline.spawn(argv, log=log, cwd=folder, env=go.environment())
    if show.follow(program, process, log):
        raise BedError(f"building {program} failed; the end of {log}:\n{tail(log)}")
    _copy_data(go, module, folder)
    fresh.rename(folder / "bin" / program)


def _go_mod(go: Go, module: Module) -> str:
    """Write a go.mod that requires the module and replaces what the module itself replaces."""
    found = json.loads(go.ask("mod", "download", "-json", f"{module.path}@{module.version}"))
    theirs = Path(found["GoMod"]).read_text()
    language = re.search(r"^go .+$", theirs, re.MULTILINE)
    assert language, f"{module.path} states no Go version"
    lines = [
        f"module bed.invalid/{module.name}",
        language[0],
        f"require {module.path} {module.version}",
        *(f"replace {x} => {x} {module.staging_version}" for x in _STAGING.findall(theirs)),
        *_REPLACED.findall(theirs),
    ]
    return "\n".join(lines) + "\n"


def _copy_data(go: Go, module: Module, folder: Path) -> None:
    if module.data:
        source = go.ask("list", "-m", "-f", "{{.Dir}}", module.path, cwd=folder)
        shutil.copytree(Path(source, module.data), folder / "data", dirs_exist_ok=True)
