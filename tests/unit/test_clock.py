"""The machine's own clock."""

import sys
import time

import pytest

from agentscaler.clock import SystemClock


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such clock for Python")
def test_time_that_a_machine_sleeps_counts() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    told = SystemClock().monotonic()
    assert before <= told <= time.clock_gettime(time.CLOCK_BOOTTIME)
