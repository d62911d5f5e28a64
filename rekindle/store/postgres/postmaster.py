"""Is the server's main process alive, is it ready, and how does it end?

`postmaster.pid` is PostgreSQL's own record and the only one read here. A process id alone proves nothing (after a
reboot or in a new container it belongs to somebody else), so the process's command line must name our data directory.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rekindle.store.postgres.place import SOCKET_NAME, Place

PROC = Path("/proc")


@dataclass(frozen=True)
class PidFile:
    """What `postmaster.pid` says: process id, socket folder, and whether connections are accepted."""

    pid: int
    socket_folder: Path | None
    state: str

    @property
    def ready(self) -> bool:
        return self.state == "ready" and self.socket_folder is not None


def read_pid_file(data: Path) -> PidFile | None:
    """Return the record, or None when there is none or it is only half written."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None
    socket_folder = Path(lines[4]) if len(lines) > 4 and lines[4] else None
    return PidFile(pid=pid, socket_folder=socket_folder, state=lines[7].strip() if len(lines) > 7 else "")


def find_postmaster(place: Place) -> PidFile | None:
    """Return the record of the living server of this place, or None."""
    record = read_pid_file(place.data)
    return record if record is not None and is_postmaster(record.pid, place.data) else None


def is_postmaster(pid: int, data: Path) -> bool:
    """Is this process alive (not a zombie) and started with our data directory?"""
    wanted = str(data)
    if PROC.is_dir():
        arguments = _command_line(pid)
        return any(one == "-D" and two == wanted for one, two in pairwise(arguments))
    listing = subprocess.run(
        ["/bin/ps", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return f"-D {wanted}" in listing and not listing.startswith("Z")


def wait_until_ready(pid: int, data: Path, seconds: float) -> bool:
    """Wait until the server accepts connections. False when its process ended first.

    Raises: TimeoutError when it is still starting after that time (a long crash recovery, say).
    """
    deadline = time.monotonic() + seconds
    pause = 0.01
    while True:
        record = read_pid_file(data)
        if record is not None and record.pid == pid and record.ready:
            return True
        if not is_postmaster(pid, data):
            return False
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(pause)
        pause = min(0.2, pause * 1.5)


def end(pid: int, place: Place, *, patience_s: float) -> bool:
    """End the server: SIGINT (sessions are cut, data are flushed), after `patience_s` SIGQUIT. True when it is gone."""
    for number, seconds in ((signal.SIGINT, patience_s), (signal.SIGQUIT, 10.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        if _wait_for(lambda: not is_postmaster(pid, place.data), seconds):
            return True
    return False


def see_orphans_out(place: Place) -> None:
    """Wait until the children of a killed server have ended, as they do by themselves; help them after a while.

    Call only under the start lock and only when `find_postmaster` found none.
    """
    if _wait_for(lambda: not any(_orphans(place)), 10.0):
        return
    for number in (signal.SIGQUIT, signal.SIGKILL):
        for pid in _orphans(place):
            _signal(pid, number)
        if _wait_for(lambda: not any(_orphans(place)), 5.0):
            return


def remove_stale_records(place: Place) -> None:
    """Remove the pid and socket files of a dead server; call only when the data directory is known to be closed.

    PostgreSQL clears them itself unless their process id now belongs to another living process: then it would refuse
    to start forever.
    """
    record = read_pid_file(place.data)
    (place.data / "postmaster.pid").unlink(missing_ok=True)
    if record is not None and record.socket_folder is not None:
        for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
            (record.socket_folder / name).unlink(missing_ok=True)


def _orphans(place: Place) -> Iterator[int]:
    """Server processes that outlived their postmaster, known by the cluster's name in their title (Linux only)."""
    title = f"postgres: {place.cluster_name}: "
    for folder in PROC.iterdir() if PROC.is_dir() else ():
        if folder.name.isdigit() and " ".join(_command_line(int(folder.name))).startswith(title):
            yield int(folder.name)


def _command_line(pid: int) -> list[str]:
    """The arguments of a process; empty for a zombie and for one that is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
    except OSError:
        return []


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    pause = 0.01
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(0.2, pause * 1.5)
    return True
