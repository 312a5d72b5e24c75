"""Clean up after a bed whose owner closed it or died. Run as a script, never imported.

The owner holds the other end of the standard input. It writes one JSON list a line:
`["process", PID, CREATED]`, `["command", ARGV...]`, `["path", PATH]`. At the end of the input,
which comes when the owner closes it as well as when it is killed, processes are killed, commands
run, the last one first, and files and folders removed, in this order.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil


def main() -> None:
    """Listen to the owner until it is done or gone."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    complaints = clean([json.loads(line) for line in sys.stdin])
    sys.exit("\n".join(complaints) or None)


def clean(noted: list[list[Any]]) -> list[str]:
    """Undo what was noted, and return what the commands that failed had to say."""
    complaints = []
    killed = [process for kind, *rest in noted if kind == "process" for process in kill(*rest)]
    psutil.wait_procs(killed, timeout=10)
    for kind, *rest in reversed(noted):  # what was made last may lie in what was made before
        if kind == "command":
            done = subprocess.run(rest, check=False, capture_output=True, text=True)
            if done.returncode:
                complaints.append(f"{' '.join(rest)} failed: {done.stderr.strip()}")
    for kind, *rest in noted:
        if kind == "path":
            remove(Path(rest[0]))
    return complaints


def kill(pid: int, created: float) -> list[psutil.Process]:
    """Kill a process and its group, unless its number went to another one meanwhile.

    The group may outlive its leader: the compilers of a build that was killed do.
    """
    leader = None
    with contextlib.suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        if leader.create_time() != created:
            return []
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return [leader] if leader else []


def remove(path: Path) -> None:
    """Remove a file or a folder; it may be gone already."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
