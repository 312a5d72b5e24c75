"""The operator as a process of its own, short of what a machine has to give."""

import asyncio
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TextIO

import pytest

from tests.fakes.cluster import SCALE
from tests.fakes.connected import until
from tests.fakes.operated import Scene, staged

PATIENCE = 60.0  # a process starts in a second, and in many on a busy machine


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with staged(tmp_path) as made:
        yield made


@asynccontextmanager
async def process(scene: Scene, *, disk: bool = True) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an operator; without a disk no file may grow, and its log finds no room."""
    with _log(disk=disk) as log:
        child = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("agentscaler")),
            *("run", f"--kubeconfig={scene.settings.kubeconfig}", "--listen=127.0.0.1:0"),
            f"--prometheus-url={scene.settings.source.address}",
            stdout=log,
            stderr=log,
            preexec_fn=None if disk else _let_no_file_grow,
        )
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _log(*, disk: bool) -> TextIO:
    return Path("/dev/null" if disk else "/dev/full").open("w")


def _let_no_file_grow() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


async def test_operator_without_room_on_any_disk_scales_all_the_same(scene: Scene) -> None:
    scene.agent(queue=20)
    scene.policy()
    async with process(scene, disk=False) as child:
        await until(lambda: [each["outcome"] for each in scene.history()] == ["Applied"], PATIENCE)
        child.terminate()
        assert await asyncio.wait_for(child.wait(), PATIENCE) == 0
    assert scene.holder() == ""


async def test_operator_that_is_killed_for_its_memory_goes_on_after(scene: Scene) -> None:
    """As the kernel does it: without a warning, here in the middle of a scaling."""
    scene.agent(queue=20)
    scene.policy()
    async with process(scene) as child:
        scene.server.on_request = lambda verb, what: (
            child.kill() if (verb, what) == ("patch", SCALE) else None
        )
        assert await asyncio.wait_for(child.wait(), PATIENCE) == -9
    scene.server.on_request = lambda verb, what: None
    assert [each["outcome"] for each in scene.history()] == ["Pending"]
    async with process(scene):
        await until(lambda: [each["outcome"] for each in scene.history()] == ["Applied"], PATIENCE)
    assert scene.replicas() == scene.history()[0]["to"]
