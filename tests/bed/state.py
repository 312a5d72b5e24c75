"""What is written down about a bed started from the command line, so that others find it.

One JSON file a bed beside the cache, there from readiness until `down`.
"""

import contextlib
import datetime
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tests.bed import builds
from tests.bed.errors import BedError

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")


@dataclass(frozen=True)
class State:
    """A bed as its owner process described it."""

    name: str
    owner: int
    owner_created: float
    since: str
    work: str
    cluster: str
    programs: Mapping[str, int | None]
    environment: Mapping[str, str]

    @property
    def process(self) -> psutil.Process | None:
        """The owner, if it still lives."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.owner)
            if process.create_time() == self.owner_created:
                return process
        return None

    @property
    def age(self) -> datetime.timedelta:
        """How long the bed has been ready, in whole seconds."""
        age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(self.since)
        return datetime.timedelta(seconds=int(age.total_seconds()))


def folder() -> Path:
    """Return where the files are."""
    return builds.cache() / "beds"


def path_of(name: str) -> Path:
    """Return the file of a bed; refuse names that are not plain."""
    if not _NAME.fullmatch(name):
        raise BedError(f"{name!r} is no name for a bed: use small letters, digits and dashes")
    return folder() / f"{name}.json"


def write(state: State) -> Path:
    """Write a bed down; fail when another one of its name was faster."""
    path = path_of(state.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{state.owner}")
    fresh.write_text(json.dumps(asdict(state), indent=1))
    try:
        path.hardlink_to(fresh)  # all of it at once, and only if there is none
    except FileExistsError:
        raise BedError(f"a bed named {state.name} is up already") from None
    finally:
        fresh.unlink()
    return path


def read(name: str) -> State | None:
    """Read a bed's file; nothing when there is none, or when its owner has died."""
    path = path_of(name)
    try:
        state = State(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    if state.process is None:
        path.unlink(missing_ok=True)
        return None
    return state


def read_all() -> Iterator[State]:
    """Read every bed that is up."""
    for path in sorted(folder().glob("*.json")):
        if state := read(path.stem):
            yield state
