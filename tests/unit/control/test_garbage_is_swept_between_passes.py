"""Garbage is collected between passes, and what is in use is left alone by the collector."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from agentscaler.clock import SystemClock
from agentscaler.control import sweeping


class Knot:
    """Something that refers to itself, so that only the collector finds it unused."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_what_is_in_use_is_left_alone_until_the_next_sweep() -> None:
    knot = Knot()
    gone = weakref.ref(knot)
    sweeping.sweep()
    assert gc.get_freeze_count() > 0
    del knot
    gc.collect()
    assert gone() is not None
    sweeping.sweep()
    assert gone() is None


async def test_sweep_waits_for_a_pause() -> None:
    gc.disable()  # nobody else collects it meanwhile
    knot = Knot()
    gone = weakref.ref(knot)
    del knot
    pause = asyncio.Event()

    async def paused() -> None:
        await pause.wait()

    running = asyncio.create_task(sweeping.run(paused, SystemClock()))
    await asyncio.sleep(0.01)
    assert gone() is not None
    pause.set()
    await asyncio.sleep(0.01)
    assert gone() is None
    running.cancel()
