"""Run something in a child that has all of this process's imports, and no other trace of it."""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

Tell = Callable[[str], None]


@dataclass
class Child:
    """A process under way; what it writes and tells can be read after its end."""

    pid: int
    written: IO[Any]
    told: IO[Any]

    def wait(self) -> int:
        """Wait for its end, and give its code."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def read(self) -> tuple[str, str]:
        """Give what it told and what it wrote; nothing is left open, which pytest would notice."""
        return _read(self.told), _read(self.written)


def in_child(work: Callable[[Tell], int]) -> Child:
    """Start a child that does the work and ends with the code that this gives."""
    written, told = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115  read later
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return Child(pid, written, told)
    os.dup2(written.fileno(), 1)
    os.dup2(written.fileno(), 2)

    def tell(text: str) -> None:
        os.pwrite(told.fileno(), text.encode(), 0)

    code = 1
    try:
        code = work(tell)
    except BaseException:  # noqa: BLE001  nothing may leave the child but its code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _read(file: IO[Any]) -> str:
    with file:
        file.seek(0)
        text: str = file.read().decode(errors="replace")
        return text
