"""Become a program that dies with its parent. Run as a script, never imported.

`python tether.py PARENT PROGRAM ARG...`: on Linux the kernel is asked to kill this process when
its parent dies, however that happens; then it turns into PROGRAM. A `preexec_fn` could do the
same but may deadlock a parent with threads. Elsewhere `watcher` alone does the work.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent and replace it by the program."""
    parent, program, *args = sys.argv[1:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
            sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")
        if os.getppid() != int(parent):  # it died before the kernel was asked
            sys.exit(1)
    os.execv(program, [program, *args])  # noqa: S606


if __name__ == "__main__":
    main()
