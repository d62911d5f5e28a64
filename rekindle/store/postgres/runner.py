"""Start, find, share and stop the embedded server.

`ensure_running` is safe to call from any number of processes at once: they get the same server. A server that a
killed process left behind is found and used again; one that was itself killed is recovered. The last process to
leave stops the server, unless an operator asked for it to stay (`rekindle postgres start`).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psycopg

from rekindle.lib.operator_error import OperatorError
from rekindle.store.postgres.binaries import choose_installation, find_installations
from rekindle.store.postgres.cluster import SUPERUSER, create_data_directory, ensure_role_and_database, socket_url
from rekindle.store.postgres.configuration import write_configuration
from rekindle.store.postgres.identity import Choice, choose_identity
from rekindle.store.postgres.lease import Lease, alone, data_directory_claimed, is_needed
from rekindle.store.postgres.place import Place, find_place, give_to, prepare_socket_folder
from rekindle.store.postgres.postmaster import (
    PidFile,
    end,
    find_postmaster,
    remove_stale_records,
    see_orphans_out,
    wait_until_ready,
)

READY_SECONDS = 120.0
ANSWER_SECONDS = 30.0
STOP_SECONDS = 60.0
LET_GO_SECONDS = 15.0
START_ATTEMPTS = 20
PAUSE_BETWEEN_ATTEMPTS_S = 0.3
LOG_LIMIT_BYTES = 16 * 1024 * 1024

#: In the log of a start that will succeed as soon as the children of a killed server are gone.
PASSING_TROUBLE = ("already exists", "is still in use", "starting up", "shutting down")

#: Runs the server in the background of a shell that ends at once, so that it is never our child: nothing that
#: happens to us (Ctrl-C, the end) reaches it, and no one has to reap it.
LAUNCH = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'


@dataclass(frozen=True)
class Server:
    """A running embedded server.

    `dsn` is the application's (owner of its database, not a superuser); `admin_dsn` is the superuser's, for set-up
    and tests only, connected to the database `postgres`.
    """

    dsn: str
    admin_dsn: str
    started_by_us: bool
    pid: int


@dataclass(frozen=True)
class Status:
    """What can be seen of the embedded server from outside, without starting it."""

    state: Literal["absent", "stopped", "starting", "running"]
    data: Path
    log: Path
    pid: int | None = None
    dsn: str | None = None
    major: int | None = None
    kept: bool = False


_shares: dict[Path, tuple[int, Lease]] = {}  # home -> (our process id when it was taken, the share)


def ensure_running(home: Path, *, keep: bool = False) -> Server:
    """Return the running server of this home, creating and starting what is missing.

    This process then holds a share in it until it ends or calls `release`.

    Args:
        home: the folder of all our files (REKINDLE_HOME); the cluster lives in `<home>/postgres`.
        keep: leave the server running when the last process has left, until `stop`.
    Raises: OperatorError with what to do: no programs found, not our folder, a start that failed (with its log).
    """
    place = find_place(home)
    _create_control_folder(place)
    with alone(place.start_lock):
        record, place, started = _find_or_start(place)
        folder = _socket_folder(record)
        if keep:
            place.keep_marker.touch()
        _take_share(place)
    return Server(
        dsn=socket_url(folder),
        admin_dsn=socket_url(folder, SUPERUSER, "postgres"),
        started_by_us=started,
        pid=record.pid,
    )


def release(home: Path) -> bool:
    """Give our share back; stop the server if nobody else needs it. True when it was stopped by this call."""
    place = find_place(home)
    owner, share = _shares.pop(place.home, (0, None))
    if share is None or owner != os.getpid():  # after a fork the share is the parent's to give back
        return False
    if not place.control.is_dir():
        share.give_back()
        return False
    with alone(place.start_lock):
        share.give_back()
        if place.keep_marker.exists() or is_needed(place.users_lock):
            return False
        return _stop(place)


def stop(home: Path) -> bool:
    """Stop the server whoever uses it (sessions are cut, data are safe). False when none was running."""
    place = find_place(home)
    if not place.control.is_dir():
        return False
    try:
        with alone(place.start_lock):
            place.keep_marker.unlink(missing_ok=True)
            return _stop(place)
    except PermissionError as refused:
        raise _not_ours(place) from refused


def status(home: Path) -> Status:
    """Look at the server of this home; starts nothing and changes nothing."""
    place = find_place(home)
    try:
        major = place.data_major()
        record = find_postmaster(place)
    except PermissionError as refused:
        raise _not_ours(place) from refused
    seen = Status(state="absent", data=place.data, log=place.log, major=major, kept=place.keep_marker.exists())
    if record is None:
        return seen if major is None else replace(seen, state="stopped")
    if not record.ready:
        return replace(seen, state="starting", pid=record.pid)
    return replace(seen, state="running", pid=record.pid, dsn=socket_url(_socket_folder(record)))


def _create_control_folder(place: Place) -> None:
    try:
        place.control.mkdir(parents=True, exist_ok=True)
        if place.control.stat().st_uid == os.geteuid():
            place.control.chmod(0o711)  # another account may have to pass through to its own data directory
        place.start_lock.touch()
    except PermissionError as refused:
        raise _not_ours(place) from refused
    except OSError as failed:
        raise OperatorError(f"{place.control} cannot be used: {failed.strerror}.", "Set REKINDLE_HOME.") from failed


def _not_ours(place: Place) -> OperatorError:
    return OperatorError(
        f"{place.control} cannot be used: it belongs to another account.",
        "Start Rekindle as the account that created it, or set REKINDLE_HOME to a folder of your own.",
    )


def _find_or_start(place: Place) -> tuple[PidFile, Place, bool]:
    """Return a server that has answered, its place, and whether we started it.

    A server that was found may be dying at this very moment (`kill -9` takes effect a little later than it returns),
    or be recovering from the crash of one of its processes: so a failed connection means to look again for a while.
    """
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        record = _find_ready(place)
        started = record is None
        if record is None:
            record, place = _start(place)
        try:
            ensure_role_and_database(_socket_folder(record))
        except psycopg.OperationalError as failed:
            if time.monotonic() > deadline:
                raise OperatorError(
                    f"the embedded database (process {record.pid}) runs but does not answer: {failed}",
                    f"See {place.log}.",
                ) from failed
            time.sleep(PAUSE_BETWEEN_ATTEMPTS_S)
        else:
            return record, place, started


def _find_ready(place: Place) -> PidFile | None:
    """Find the living server and wait for it where it is still starting; None when it must be started."""
    record = find_postmaster(place)
    if record is None:
        return None
    if not record.ready and not _wait(record.pid, place):
        return None
    return find_postmaster(place)


def _start(place: Place) -> tuple[PidFile, Place]:
    installation = choose_installation(find_installations(), place.data_major())
    choice = choose_identity(installation, place)
    place = choice.place
    if place.data_major() is None:
        if place.data.exists():
            raise OperatorError(
                f"{place.data} exists but holds no PostgreSQL data.", "Move it aside, or set REKINDLE_HOME."
            )
        create_data_directory(choice)
    for attempt in range(START_ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_BETWEEN_ATTEMPTS_S)
        pid, told = _launch(choice)
        if _wait(pid, place):
            record = find_postmaster(place)
            if record is not None:
                return record, place
        trouble = _read_from(place.log, told)
        if not any(passing in trouble for passing in PASSING_TROUBLE):
            break
    raise OperatorError(
        f"the embedded database did not start ({choice.identity.name}, PostgreSQL {choice.installation.version}).",
        "\n".join([*trouble.strip().splitlines()[-10:], f"The whole log is in {place.log}."]),
    )


def _launch(choice: Choice) -> tuple[int, int]:
    """Start the server process; returns its process id and how long the log was before."""
    place, identity = choice.place, choice.identity
    see_orphans_out(place)
    try:
        with data_directory_claimed(place.data_lock, patience_s=LET_GO_SECONDS) as lock:
            remove_stale_records(place)
            folder = prepare_socket_folder(place, identity.uid, identity.gid)
            write_configuration(place.settings, socket_folder=folder, cluster_name=place.cluster_name)
            told = _prepare_log(choice)
            server = (choice.installation.postgres, "-D", place.data)
            answer = identity.run(("/bin/sh", "-c", LAUNCH, "rekindle-postgres", place.log, *server), keep_open=[lock])
    except TimeoutError:
        raise OperatorError(
            f"another process has the database in {place.data} open, and it is not one that can be seen from here.",
            "If another container uses the same folder, stop it, or give each its own REKINDLE_HOME.",
        ) from None
    try:
        return int(answer.stdout), told
    except ValueError:
        raise OperatorError(
            f"the embedded database could not be launched as {identity.name}.", answer.stderr.strip()
        ) from None


def _prepare_log(choice: Choice) -> int:
    """Put a log that has grown long aside, make one that the server may write; returns its length."""
    log = choice.place.log
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.rename(log.with_suffix(".log.1"))
    log.touch(mode=0o600)
    give_to(log, choice.identity.uid, choice.identity.gid)
    return log.stat().st_size


def _wait(pid: int, place: Place) -> bool:
    try:
        return wait_until_ready(pid, place.data, READY_SECONDS)
    except TimeoutError:
        raise OperatorError(
            f"the embedded database (process {pid}) is still starting after {READY_SECONDS:.0f} s; after a crash it "
            "first replays its log.",
            f"It goes on in the background: watch {place.log} and try again.",
        ) from None


def _read_from(log: Path, position: int) -> str:
    with log.open("rb") as file:
        file.seek(position)
        return file.read(LOG_LIMIT_BYTES).decode(errors="replace")


def _socket_folder(record: PidFile) -> Path:
    if record.socket_folder is None:
        raise OperatorError("the embedded database is running without a socket.", "Stop it: rekindle postgres stop.")
    return record.socket_folder


def _take_share(place: Place) -> None:
    owner, _ = _shares.get(place.home, (0, None))
    if owner == os.getpid():
        return
    if not _shares:
        atexit.register(_release_all)
    _shares[place.home] = (os.getpid(), Lease(place.users_lock))


def _release_all() -> None:
    for home in list(_shares):
        with contextlib.suppress(OSError, OperatorError, subprocess.SubprocessError):  # nobody is left to be told
            release(home)


def _stop(place: Place) -> bool:
    record = find_postmaster(place)
    if record is None:
        return False
    if not end(record.pid, place, patience_s=STOP_SECONDS):
        raise OperatorError(f"the embedded database (process {record.pid}) does not stop.", f"See {place.log}.")
    return True
