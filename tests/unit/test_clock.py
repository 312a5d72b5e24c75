"""The machine's own clock."""

import sys
import time

import pytest

from agentscaler.clock import SystemClock


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such clock for Python")
def test_time_that_a_machine_sleeps_counts() -> None:
    # No test can send its machine to sleep; which of the kernel's clocks is read can be told.
    assert SystemClock.monotonic.args == (time.CLOCK_BOOTTIME,)  # type: ignore[attr-defined]
    assert SystemClock().monotonic() > 0
