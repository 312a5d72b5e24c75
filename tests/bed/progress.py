"""Show how a build goes: live on a terminal, plain lines elsewhere."""

import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from rich import progress as bars
from rich.console import Console

from tests.bed.processes import tail

REFRESH_SECONDS = 0.5


class Progress:
    """A bar of programs built, with the one being built, its time and its last words."""

    def __init__(self, console: Console, *, done: int, total: int) -> None:
        self._console = console
        self._bars = bars.Progress(
            bars.SpinnerColumn(),
            bars.TextColumn("{task.fields[program]:24}"),
            bars.BarColumn(bar_width=24),
            bars.MofNCompleteColumn(),
            bars.TimeElapsedColumn(),
            bars.TextColumn("[dim]{task.fields[saying]}", table_column=None),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._whole = self._bars.add_task("", program="", saying="", completed=done, total=total)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def follow(self, program: str, process: subprocess.Popen[bytes], log: Path) -> int:
        """Wait for the end of a build and return its code."""
        task = self._bars.tasks[0]
        count = f"{task.completed + 1:g}/{task.total:g}"
        begun = self._bars.get_time()
        if not self._console.is_terminal:
            self._console.print(f"building {program} ({count})", highlight=False)
        while (code := _ended(process)) is None:
            saying = tail(log, lines=1)[:60]
            self._bars.update(self._whole, program=program, saying=saying)
        if code == 0:
            self._bars.advance(self._whole)
            took = self._bars.get_time() - begun
            self._console.print(f"built {program} in {took:.0f} s ({count})", highlight=False)
        return code


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(REFRESH_SECONDS)
    except subprocess.TimeoutExpired:
        return None
