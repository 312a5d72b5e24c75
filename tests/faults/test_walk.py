"""A walk of random faults: the same for the same seed, short by default.

`make test-faults FAULT_WALK_MINUTES=30` takes walk after walk, each with the next seed, for half an
hour; a failure names its seed, and FAULT_WALK_SEED repeats that walk alone. After each pass the
invariants are checked; at the end of each walk everything is made whole, and within a few polls
every policy is healthy and every fleet as large as its load needs.
"""

import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Final

import pytest

from agentscaler.clock import SystemClock
from tests.fakes.connected import PATIENT
from tests.fakes.leadership import leading
from tests.faults.walking import Walk

STEPS: Final = int(os.environ.get("FAULT_WALK_STEPS", "120"))
SEED: Final = int(os.environ.get("FAULT_WALK_SEED", "1"))
MINUTES: Final = float(os.environ.get("FAULT_WALK_MINUTES", "0"))
STORY: Final = 30


async def test_walk_of_faults_keeps_the_invariants_and_ends_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = SystemClock()
    ends, seed = clock.monotonic() + 60 * MINUTES, SEED
    await take_walk(tmp_path, seed)
    while clock.monotonic() < ends:
        seed += 1
        await take_walk(tmp_path, seed)
    if MINUTES:
        with capsys.disabled():
            sys.stdout.write(f"{seed - SEED + 1} walks of {STEPS} steps, seeds {SEED} to {seed}\n")


async def take_walk(folder: Path, seed: int) -> None:
    """Take one walk to its end; a failure tells the seed and what happened last."""
    limits = replace(PATIENT, silence_seconds=1)
    async with leading(folder, limits=limits, deadline=timedelta(seconds=2)) as leader:
        walk = Walk(leader, Random(seed))  # noqa: S311 - to be repeated, not to be secret
        try:
            for _ in range(STEPS):
                await walk.step()
            await walk.end()
            assert walk.broken() == []
        except BaseException as exc:
            lately = "; ".join(walk.story[-STORY:])
            exc.add_note(f"seed {seed}, step {len(walk.story)} of {STEPS}, lately: {lately}")
            raise
