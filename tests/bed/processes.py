"""Programs of a bed: started, probed until ready, stopped, started again with the same arguments.

Knows nothing of what the programs are for.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import requests

from tests.bed.errors import BedError
from tests.bed.lifeline import Lifeline

POLL_SECONDS = 0.05
TAIL_LINES = 20


def wait_until(holds: Callable[[], bool], *, within: float, what: str) -> None:
    """Poll a condition; fail with a sentence after `within` seconds."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            raise BedError(f"{what} did not happen within {within:g} s")
        time.sleep(POLL_SECONDS)


def answers(url: str, ca: Path | None = None) -> Callable[[], bool]:
    """Make a probe that is true once a URL answers 200."""
    session = requests.Session()
    session.trust_env = False  # no proxy lies between us and the loopback interface
    if ca:
        session.verify = str(ca)

    def probe() -> bool:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            return session.get(url, timeout=2).ok
        return False

    return probe


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


class Program:
    """One program with its arguments, log and probe; at most one process at a time.

    `environment` is added to ours. What is secret belongs there: arguments are for all to see.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        ready: Callable[[], bool],
        lifeline: Lifeline,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.argv = argv
        self.log = log
        self._ready = ready
        self._lifeline = lifeline
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The number of the running process."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def text(self) -> str:
        """Return all that it has written."""
        return self.log.read_text(errors="replace")

    def is_ready(self) -> bool:
        """Ask the probe once; fail with the log's end when the process has ended."""
        return self._ready_or_dead()

    def start(self) -> None:
        """Start the process; nothing happens when it runs."""
        if self.pid is None:
            self._process = self._lifeline.spawn(
                self.argv, log=self.log, cwd=self.log.parent, env=self._environment
            )

    def wait_ready(self, within: float = 60) -> None:
        """Wait until the probe holds; fail with the log's end when the process ends before."""
        wait_until(self._ready_or_dead, within=within, what=f"readiness of {self.name}")

    def stop(self, grace: float = 10) -> None:
        """Ask the process to end, and kill it after `grace` seconds."""
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _ready_or_dead(self) -> bool:
        assert self._process is not None
        code = self._process.poll()
        if code is not None:
            raise BedError(f"{self.name} ended with code {code} at its start:\n{tail(self.log)}")
        return self._ready()

    def _signal(self, number: signal.Signals) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
