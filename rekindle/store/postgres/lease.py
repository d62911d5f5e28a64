"""Who still needs the embedded server?

Every process that uses it holds a shared file lock for as long as it lives. The kernel drops the lock however the
process ends, `kill -9` included, so nobody has to keep a list of process ids and no dead process keeps the server up.
The last one to leave finds that it can have the lock for itself alone, and stops the server.

The server's own processes hold a lock in the same way, inherited from whoever launched it: it tells that somebody has
the data directory open even where process ids tell nothing, as between two containers that share a volume.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Lease:
    """A share in the server, held until `give_back` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def give_back(self) -> None:
        """Drop the share; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def is_needed(path: Path) -> bool:
    """Does any process (this one included) hold a share? Ask only under the start lock."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the only process on this machine that starts or stops this server; others wait."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


@contextmanager
def data_directory_claimed(path: Path, *, patience_s: float) -> Iterator[int]:
    """Hold the lock that says the data directory is open; yields its file number, for the server to inherit.

    Raises: TimeoutError when processes of an earlier server, here or in another container, do not let go of it.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError from None
                time.sleep(0.05)
        yield file
    finally:
        os.close(file)  # what inherited the file keeps the lock
