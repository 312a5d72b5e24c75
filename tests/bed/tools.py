"""Programs that run once and answer, such as kubectl."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.bed.errors import BedError


class Tool:
    """A program with its environment; call it with arguments to get its output."""

    def __init__(self, program: Path, env: Mapping[str, str]) -> None:
        self.program = program
        self.env = env

    def __call__(self, *args: str | Path, stdin: str | None = None, timeout: float = 60) -> str:
        """Return the standard output; fail with what the program said when it fails."""
        try:
            done = subprocess.run(
                [self.program, *args],
                input=stdin,
                env=self.env,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired as exc:
            raise BedError(f"{self._line(args)} took longer than {timeout:g} s") from exc
        if done.returncode:
            said = done.stderr.strip() or done.stdout.strip()
            raise BedError(f"{self._line(args)} failed: {said}")
        return done.stdout

    def _line(self, args: tuple[str | Path, ...]) -> str:
        return " ".join([self.program.name, *map(str, args)])
