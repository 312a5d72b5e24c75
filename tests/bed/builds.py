"""Build the programs of the bed once, into a cache outside the tree.

A build is a `go.mod` in the cache that names one module, and the ordinary `go build` of its
packages. What is built stays built: a build that was stopped goes on with the next program.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from tests.bed import golang
from tests.bed.errors import BedError
from tests.bed.lifeline import Lifeline
from tests.bed.processes import tail
from tests.bed.progress import Progress
from tests.bed.versions import COLD_BUILD_BYTES, MODULES, Module, module_of

ALL = tuple(name for module in MODULES for name in module.programs)

_STAGING = re.compile(r"^\s*(\S+) => \./staging/", re.MULTILINE)


def cache() -> Path:
    """Return the folder of everything that is built."""
    wanted = os.environ.get("AGENTSCALER_BED_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(wanted) if wanted else Path(home, "agentscaler", "bed")


def locate(program: str) -> Path:
    """Return where a program is, or will be once it is built.

    The programs of envtest (KUBEBUILDER_ASSETS) are used when they are there.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and Path(assets, program).is_file():
        return Path(assets, program)
    return cache() / module_of(program).key / "bin" / program


def data_of(module: Module) -> Path:
    """Return the folder of the files that a module's programs read."""
    return cache() / module.key / "data"


def missing(wanted: Iterable[str] = ALL) -> list[str]:
    """List the programs that are not built yet."""
    return [name for name in wanted if not locate(name).is_file()]


def ensure(console: Console, wanted: Sequence[str] = ALL) -> None:
    """Build what is missing; wait when another process is building."""
    if not missing(wanted):
        return
    with _lock(console), contextlib.closing(Lifeline()) as lifeline:
        todo = missing(wanted)  # the other process may have built it
        if not todo:
            return
        _check_disk(len(todo))
        go = golang.find(cache())
        with Progress(console, done=len(wanted) - len(todo), total=len(wanted)) as progress:
            for program in todo:
                _build(go, program, lifeline, progress)


def _build(go: golang.Go, program: str, lifeline: Lifeline, progress: Progress) -> None:
    module = module_of(program)
    folder = cache() / module.key
    log = folder / "logs" / f"{program}.log"
    for each in (log.parent, folder / "bin"):
        each.mkdir(parents=True, exist_ok=True)
    if not (folder / "go.mod").exists():
        (folder / "go.mod").write_text(_go_mod(go, module))
    fresh = folder / "bin" / f".{program}"
    stamps = " ".join(f"-X {name}={value}" for name, value in module.stamps.items())
    argv: list[str | Path] = [
        go.program,
        "build",
        "-trimpath",
        "-tags",
        module.tags,
        "-ldflags",
        f"-s -w {stamps}",
    ]
    log.write_text("")
    process = lifeline.spawn(
        [*argv, "-o", fresh, module.programs[program]],
        log=log,
        cwd=folder,
        env=go.environment(),
    )
    if progress.follow(program, process, log):
        raise BedError(f"building {program} failed; the end of {log}:\n{tail(log)}")
    _copy_data(go, module, folder)
    fresh.rename(folder / "bin" / program)


def _go_mod(go: golang.Go, module: Module) -> str:
    """Write a go.mod that requires the module and, where it needs them, its staging parts."""
    found = json.loads(go.ask("mod", "download", "-json", f"{module.path}@{module.version}"))
    theirs = Path(found["GoMod"]).read_text()
    language = re.search(r"^go .+$", theirs, re.MULTILINE)
    assert language, f"{module.path} states no Go version"
    lines = [
        f"module bed.invalid/{module.name}",
        language[0],
        f"require {module.path} {module.version}",
        *(f"replace {x} => {x} {module.staging_version}" for x in _STAGING.findall(theirs)),
    ]
    return "\n".join(lines) + "\n"


def _copy_data(go: golang.Go, module: Module, folder: Path) -> None:
    if module.data:
        source = go.ask("list", "-m", "-f", "{{.Dir}}", module.path, cwd=folder)
        shutil.copytree(Path(source, module.data), folder / "data", dirs_exist_ok=True)


@contextlib.contextmanager
def _lock(console: Console) -> Iterator[None]:
    """Let one process build at a time; the lock ends with the process, however it ends."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("Another process is building the bed; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _check_disk(programs: int) -> None:
    """Refuse to begin what the disk cannot hold."""
    needed = COLD_BUILD_BYTES * programs // len(ALL)
    free = shutil.disk_usage(cache()).free
    if free < needed:
        raise BedError(
            f"building {programs} programs takes about {needed / 1e9:.1f} GB of disk, but only "
            f"{free / 1e9:.1f} GB are free at {cache()}; free some, or set AGENTSCALER_BED_CACHE"
        )
