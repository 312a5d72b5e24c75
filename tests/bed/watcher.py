"""Clean up after a bed whose owner died. Run as a script in a session of its own, never imported.

The owner holds the other end of the standard input. It writes one JSON list a line:
`["process", PID, CREATED]`, `["folder", PATH]`, `["command", ARGV...]`, and `["done"]` when it has
cleaned up itself. The end of the input without `done` means that the owner is gone: processes
are killed, commands run and folders removed, in this order. A folder whose disappearance tells
others that all is over must be noted last.
"""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from typing import Any

import psutil


def main() -> None:
    """Listen to the owner until it says goodbye or is gone."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    noted: list[list[Any]] = []
    for line in sys.stdin:
        note = json.loads(line)
        if note[0] == "done":
            return
        noted.append(note)
    clean(noted)


def clean(noted: list[list[Any]]) -> None:
    """Undo what the owner left."""
    killed = [process for kind, *rest in noted if kind == "process" for process in kill(*rest)]
    psutil.wait_procs(killed, timeout=10)
    for kind, *rest in noted:
        if kind == "command":
            subprocess.run(rest, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for kind, *rest in noted:
        if kind == "folder":
            shutil.rmtree(rest[0], ignore_errors=True)


def kill(pid: int, created: float) -> list[psutil.Process]:
    """Kill a process unless its number went to another one meanwhile."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if process.create_time() == created:
            process.kill()
            return [process]
    return []


if __name__ == "__main__":
    main()
