"""Where does the CPU of a Python process go? A sampler for threads beside the main one, and a table by stage.

After every tick of CPU the kernel interrupts (ITIMER_PROF, 1 to 4 ms), and the stacks of all threads at work are looked
at. Samples are shares, not times: a table turns them into microseconds of a figure that was measured without it.
"""

from __future__ import annotations

import json
import select
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TextIO

EVERY_S = 0.001


class Sampler:
    """Counts functions on the stacks of all threads but the main one."""

    def __init__(self) -> None:
        self.samples = 0
        self.within: Counter[str] = Counter()

    def start(self) -> None:
        sys.setswitchinterval(1e-5)  # else only calls that let go of the interpreter would be seen
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)

    def wait(self, file: TextIO) -> None:
        """Until there is something to read, with the main thread awake for every signal."""
        mine, theirs = socket.socketpair()
        for end in (mine, theirs):
            end.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        while file not in select.select([file, mine], [], [])[0]:
            mine.recv(4096)

    def stop(self, path: Path) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        path.write_text(json.dumps({"samples": self.samples, "within": self.within}))

    def _look(self, _number: int, _frame: FrameType | None) -> None:
        main = threading.main_thread().ident
        for thread, frame in sys._current_frames().items():
            if thread != main:
                self._count(frame)

    def _count(self, frame: FrameType | None) -> None:
        names = set()
        while frame is not None:
            names.add(frame.f_code.co_qualname)
            frame = frame.f_back
        self.samples += 1
        self.within.update(names)


def stage_table(paths: Sequence[Path], stages: Mapping[str, Sequence[str]], us_per_unit: float) -> str:
    """Microseconds of a unit by stage. A stage is named by functions; what is within one counts for the first stage
    that names it only if they do not contain each other. ``us_per_unit``: what the processes use in all."""
    total, within = 0, Counter[str]()
    for path in paths:
        told = json.loads(path.read_text())
        total += told["samples"]
        within.update(told["within"])
    rows, rest = [], 1.0
    for stage, names in stages.items():
        share = sum(within[name] for name in names) / max(total, 1)
        rest -= 0.0 if stage.startswith(" ") else share
        rows.append(f"  {share * us_per_unit:8.1f} us  {share:4.0%}  {stage}")
    rows.append(f"  {rest * us_per_unit:8.1f} us  {rest:4.0%}  event loop, sockets, the rest ({total} samples)")
    return "\n".join(rows)
