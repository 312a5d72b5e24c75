"""What is wrong with a manifest: a field and a sentence that names the fix."""

from typing import NamedTuple

Path = tuple[str | int, ...]


class Problem(NamedTuple):
    """A field and what to do about it."""

    path: Path
    sentence: str

    def __str__(self) -> str:
        return f"{write_path(self.path)}: {self.sentence}"


def write_path(path: Path) -> str:
    """Write a path as the API server does: spec.schedules[0].start."""
    written = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return written.removeprefix(".")
