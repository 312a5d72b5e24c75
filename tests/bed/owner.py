"""The process that owns a bed started from the command line, in the foreground or detached."""

import datetime
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import psutil
from rich.console import Console

from tests.bed import state
from tests.bed.bed import Bed
from tests.bed.config import BedConfig
from tests.bed.errors import BedError
from tests.bed.processes import wait_until
from tests.bed.state import State

ROOT = Path(__file__).parents[2]
UP_SECONDS = 600
DOWN_SECONDS = 60


def hold(name: str, config: BedConfig, console: Console) -> None:
    """Hold a bed until a signal asks for its end."""
    _refuse_second(name)
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    with Bed.up(config, console) as bed:
        bed.adopt(state.write(describe(name, bed)))
        console.print(f"The bed {name} is up; Ctrl-C takes it down.", highlight=False)
        threading.Event().wait()


def detach(name: str, arguments: Sequence[str]) -> None:
    """Start an owner in the background and return once its bed is ready."""
    _refuse_second(name)
    with tempfile.TemporaryFile("w+") as output:
        owner = subprocess.Popen(
            [sys.executable, "-m", "tests.bed", "up", f"--name={name}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )
        try:
            wait_until(
                lambda: owner.poll() is not None or state.read(name) is not None,
                within=UP_SECONDS,
                what=f"readiness of the bed {name}",
            )
        except BaseException:
            owner.terminate()
            owner.wait()
            raise
        if owner.poll() is not None:
            output.seek(0)
            raise BedError(output.read().strip())


def take_down(bed: State) -> None:
    """Ask the owner to end, and wait until it and everything it had is gone."""
    if bed.process:
        bed.process.terminate()
        psutil.wait_procs([bed.process], timeout=DOWN_SECONDS)
    wait_until(
        lambda: bed.process is None and not Path(bed.work).exists(),
        within=DOWN_SECONDS,
        what=f"the end of the bed {bed.name}",
    )


def describe(name: str, bed: Bed) -> State:
    """Write down what others need to use or end this process's bed."""
    return State(
        name=name,
        owner=os.getpid(),
        owner_created=psutil.Process().create_time(),
        since=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        work=str(bed.work),
        cluster=bed.cluster,
        programs={each.name: each.pid for each in bed.programs.values()},
        environment=bed.environment(),
    )


def _refuse_second(name: str) -> None:
    if state.read(name):
        raise BedError(f"a bed named {name} is up already; choose another --name or take it down")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
