"""The short form of `make demo-full`: sessions survive scaling, and nothing stays behind."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.bed import BedConfig
from tests.bed.processes import wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(BedConfig().cluster != "local", reason="the demo has a bed of its own"),
]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="whole-") as folder:
        yield folder


def test_whole_demo_loses_no_session_and_leaves_nothing_behind(folder: str) -> None:
    with demo(folder) as running:
        printed = figures_of(running)
    assert figure(printed, "failed requests") == "0"
    assert int(figure(printed, "requests").split()[0]) > 20
    assert list(Path(folder).iterdir()) == []
    until_none_works_in(folder)


def test_redis_killed_in_the_middle_costs_some_requests_and_no_session(folder: str) -> None:
    with demo(folder) as running:
        assert running.stdout is not None
        assert any(re.match(r" *1\d s ", line) for line in running.stdout)
        [killed] = redis_of(running)
        killed.kill()
        wait_until(lambda: bool(set(redis_of(running)) - {killed}), within=60, what="another Redis")
        printed = figures_of(running)
    requests = int(figure(printed, "requests").split()[0])
    assert int(figure(printed, "failed requests")) < requests / 2
    until_none_works_in(folder)


@contextmanager
def demo(folder: str) -> Iterator[subprocess.Popen[str]]:
    """Run the short form; end it if the test does not."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.demo.full", "--short"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": folder, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.terminate()


def figures_of(running: subprocess.Popen[str]) -> str:
    """Wait for the end; give what was printed, the sessions of which are whole."""
    printed, _ = running.communicate(timeout=240)
    assert running.returncode == 0, printed
    assert figure(printed, "lost sessions") == "0"
    assert figure(printed, "mixed-up sessions") == "0"
    return printed


def redis_of(running: subprocess.Popen[str]) -> list[psutil.Process]:
    """Find the session store."""
    return [each for each in psutil.Process(running.pid).children(recursive=True) if is_redis(each)]


def is_redis(process: psutil.Process) -> bool:
    try:
        return process.name() == "redis-server"
    except psutil.NoSuchProcess:  # it has ended since it was listed
        return False


def figure(printed: str, name: str) -> str:
    """Give what the table of figures says of one thing."""
    rows = [line.strip("│ ").split("│") for line in printed.splitlines() if line.startswith("│")]
    return {row[0].strip(): row[-1].strip() for row in rows}[name]


def until_none_works_in(folder: str) -> None:
    """Wait until no process has its working folder there, removed as it may be."""
    wait_until(lambda: not working_in(folder), within=20, what=f"the end of what runs in {folder}")


def working_in(folder: str) -> bool:
    folders = (each.info["cwd"] for each in psutil.process_iter(["cwd"]))
    return any((each or "").startswith(folder) for each in folders)
