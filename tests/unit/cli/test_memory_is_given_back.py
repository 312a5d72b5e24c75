"""What `agentscaler run` asks of the allocator, where there is one that can be asked."""

import ctypes
import subprocess
import sys

import pytest

_LARGE = 4 * 1024 * 1024
_LEARNED = f"""
import psutil
from agentscaler.cli import run
run._give_memory_back()
rss = psutil.Process().memory_info
bytes({_LARGE})  # glibc would learn from the end of this one
before = rss().rss
kept = []
for _ in range(16):
    large = [bytearray(b"x" * {_LARGE}) for _ in range(4)]
    kept.append(bytearray(1024))
    del large
print((rss().rss - before) // {_LARGE})
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallopt"), reason="the allocator takes no settings"
)
def test_large_buffers_are_given_back() -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _LEARNED], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 1
