"""Processes and paths that do not outlive this interpreter, even when it is killed.

Two means, because each has a gap: a watcher process cleans up everything noted when its pipe
closes, which is also the way an orderly end goes (see `watcher`; it could be killed too), and
the kernel kills tethered programs with their parent (Linux only, see `tether`).
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests.bed.errors import BedError

_HERE = Path(__file__).parent
_PYTHON: tuple[str | Path, ...] = (sys.executable, "-I")

# The kernel's "parent" is the thread that forked: one that lives as long as the interpreter.
_FORKING = ThreadPoolExecutor(1, thread_name_prefix="bed-forks")


class Lifeline:
    """Start processes that end with us, and note what else is to be undone then."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._noting = threading.Lock()
        self._watcher = subprocess.Popen(
            [*_PYTHON, _HERE / "watcher.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            start_new_session=True,  # Ctrl-C in the terminal must not reach it
            text=True,
        )

    def spawn(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own, both its outputs appended to a log."""
        process = _FORKING.submit(self._fork, argv, log, cwd, env).result()
        self._processes.append(process)
        self._note("process", process.pid, psutil.Process(process.pid).create_time())
        return process

    def note_path(self, path: Path) -> None:
        """Have a file or folder removed at the end."""
        self._note("path", str(path))

    def note_command(self, *argv: str | Path) -> None:
        """Have a command run at the end."""
        self._note("command", *map(str, argv))

    def close(self) -> None:
        """End all, as our death would; fail when a noted command does. Again: nothing happens."""
        assert self._watcher.stdin
        assert self._watcher.stderr
        if self._watcher.stdin.closed:
            return
        self._watcher.stdin.close()
        for process in self._processes:  # only we can reap them, which the watcher waits for
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with self._watcher.stderr as complaints:
            said = complaints.read()
        if self._watcher.wait():
            raise BedError(said.strip())

    def _note(self, *words: str | float) -> None:
        assert self._watcher.stdin
        with self._noting:
            self._watcher.stdin.write(json.dumps(words) + "\n")
            self._watcher.stdin.flush()

    @staticmethod
    def _fork(
        argv: Sequence[str | Path], log: Path, cwd: Path | None, env: Mapping[str, str] | None
    ) -> subprocess.Popen[bytes]:
        tether = [*_PYTHON, "-S", _HERE / "tether.py", str(os.getpid())]
        with log.open("ab") as output:
            return subprocess.Popen(
                [*tether, *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
