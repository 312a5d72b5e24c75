"""A page of the docs as a reader types it: its commands in order, and what it says they print."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# A command in a block with what it prints, or one within a sentence.
_TYPED: Final = re.compile(
    r"^\$ (?P<line>.*)\n(?P<shown>(?:(?!\$ |```).*\n)*)"
    r"|`(?P<span>(?:kubectl|helm|agentscaler) [^`\n]+)`",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Command:
    """What is typed, and the lines that follow it on the page."""

    line: str
    shown: tuple[str, ...] = ()


def commands(page: Path) -> Iterator[Command]:
    """Give the commands of a page in its order."""
    text = page.read_text().replace("\\\n", " ")
    for found in _TYPED.finditer(text):
        if found["span"]:
            yield Command(found["span"])
        else:
            yield Command(" ".join(found["line"].split()), tuple(found["shown"].splitlines()))


class Reader:
    """Types commands in a folder, with what stands for a value of the reader's own filled in."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], own: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._environment = environment
        self._own = own

    def fill(self, line: str) -> str:
        """Put the reader's values in."""
        for placeholder, value in self._own.items():
            line = line.replace(placeholder, value)
        return line

    def type(self, command: Command) -> list[str]:
        """Run a command and give the lines it prints; it must succeed, or only answer no."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", self.fill(command.line)],
            cwd=self._folder, env=self._environment, capture_output=True, text=True,
            check=False, timeout=180,
        )  # fmt: skip
        lines = done.stdout.splitlines()
        assert done.returncode == 0 or lines == ["no"], f"{command.line}\n{done.stderr}"
        return lines


def begins_alike(shown: tuple[str, ...], printed: list[str]) -> bool:
    """Tell whether the first word is that of the page; what follows differs from run to run."""
    first, seen = (re.split(r"[\s{]", (lines or ("",))[0])[0] for lines in (shown, printed))
    return not shown or first == seen
