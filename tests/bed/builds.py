"""Have every program of the bed built once, in a cache outside the tree.

What is built stays built: a build that was stopped goes on with the next program. How one
program is built is the business of `compiling`.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from tests.bed import compiling, golang
from tests.bed.errors import BedError
from tests.bed.lifeline import Lifeline
from tests.bed.progress import Progress
from tests.bed.versions import COLD_BUILD_BYTES, MODULES, Module, module_of

ALL = tuple(name for module in MODULES for name in module.programs)


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
                module = module_of(program)
                folder = cache() / module.key
                compiling.build(
                    go, module, program, folder=folder, lifeline=lifeline, show=progress
                )


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
