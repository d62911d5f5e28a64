"""How does one command run several processes and leave none behind?

Each child gets a process group of its own (a Ctrl-C at the terminal reaches only us, and we pass it on) and runs on a
leash: it is told to stop when we die, even by kill -9.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

_PATIENCE_S = 12.0


@dataclass
class Child:
    """One running process with its name and log file, in which its own lines begin at the byte ``begins``."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    begins: int = 0


@dataclass
class Children:
    """The processes of one command. Use as a context manager: whatever happens, they end with it."""

    logs: Path
    running: list[Child] = field(default_factory=list)

    def __enter__(self) -> Children:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start ``rekindle <arguments>``; what it prints goes to ``<logs>/<name>.log``."""
        log = self.logs / f"{name}.log"
        parent = os.getpid()
        with log.open("ab") as out:
            begins = out.tell()
            process = subprocess.Popen(
                [sys.executable, "-m", "rekindle.commands.leash", str(parent), *arguments],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                process_group=0,
            )
        child = Child(name, process, log, begins)
        self.running.append(child)
        return child

    def ended(self) -> Child | None:
        """A child that is no longer running, if any."""
        return next((child for child in self.running if child.process.poll() is not None), None)

    def stop(self) -> None:
        """Ask all to stop, in reverse order; kill what does not within 12 seconds."""
        for child in reversed(self.running):
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE_S
        for child in self.running:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(child, signal.SIGKILL)
                child.process.wait()
        self.running.clear()


class StopRequest:
    """Turns SIGINT and SIGTERM into an event; a second signal ends the process at once."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def listen(self) -> StopRequest:
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)
        return self

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.event.is_set():
            raise KeyboardInterrupt
        self.event.set()


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a child's log, for an error message."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def complaints(child: Child, lines: int = 3) -> list[str]:
    """The last warnings and errors that a child logged, as they stand in its log."""
    text = child.log.read_bytes()[child.begins :].decode(errors="replace")
    levels = ('"level": "warning"', '"level": "error"', '"level": "critical"')
    return [line for line in text.splitlines() if any(level in line for level in levels)][-lines:]


def _signal(child: Child, number: signal.Signals) -> None:
    if child.process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, number)
