"""Run a command that ends when its parent does, however the parent ends.

Used by `commands/children.py`: ``python -m rekindle.commands.leash PARENT_PID ARGUMENTS...``.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2), Linux


def die_with(parent: int) -> None:
    """Ask the kernel for a SIGTERM when the parent dies; leave at once if it is already gone."""
    with contextlib.suppress(OSError, AttributeError):  # other systems have no such signal
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)


def main() -> None:
    from rekindle.commands.cli import main as command_line

    die_with(int(sys.argv[1]))
    sys.argv = ["rekindle", *sys.argv[2:]]
    sys.exit(command_line())


if __name__ == "__main__":
    main()
