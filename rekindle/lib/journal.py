"""What was refused for good, written down outside the database? A file of short lines that outlives a restore.

A backup brings back who had opted out since it was made. So every opt-out and erasure is also a line here: when, which
shop, the keyed hash of the address, what for. No line names anybody, and each carries a code made with the
installation's key, so that a line somebody else wrote is not believed. ``mark.json`` beside it says how far the
database had come; a database that is behind it is a restored one.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from rekindle.lib.hashing import keyed_hash

_LINES: Final = "journal.jsonl"
_MARK: Final = "mark.json"
log = logging.getLogger(__name__)


class JournalError(Exception):
    """The journal cannot be read; the text says why, to an operator."""


class Mark(NamedTuple):
    """Which database this journal belongs to, and the highest beat it was seen at."""

    installation: str
    beat: int


@dataclass(slots=True)
class Counts:
    """How many lines could not be used: cut off by a crash, or not written with this installation's key."""

    torn: int = 0
    forged: int = 0


class Journal:
    """A folder with the lines and the mark; several processes may write to it at once."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.folder = folder
        self._key = keyed_hash(key, "journal")

    def note(self, facts: Mapping[str, object]) -> None:
        """Add a line and wait until it is on the disk. A full or missing disk is logged and hides nothing from the
        caller: an opt-out must not fail for it."""
        text = json.dumps(dict(facts), separators=(",", ":"), sort_keys=True)
        line = f"{text}\t{self._code(text)}\n".encode()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder / _LINES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                os.write(handle, line)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            log.error("journal_not_written", extra={"facts": {"error": type(error).__name__, "number": error.errno}})

    def lines(self, counts: Counts | None = None) -> Iterator[dict[str, Any]]:
        """The facts of every line, oldest first. What is torn or forged is left out and counted."""
        counts = counts if counts is not None else Counts()
        try:
            with (self.folder / _LINES).open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    facts = self._read(line, counts)
                    if facts is not None:
                        yield facts
        except FileNotFoundError:
            return
        except OSError as error:
            raise JournalError(f"{self.folder / _LINES} cannot be read: {error.strerror}") from None

    def mark(self) -> Mark | None:
        """None when there is none. Raises JournalError for one that cannot be read."""
        path = self.folder / _MARK
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            return Mark(str(told["installation"]), int(told["beat"]))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise JournalError(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise JournalError(f"{path} is damaged") from None

    def set_mark(self, mark: Mark) -> None:
        """Replace the mark in one step. Raises JournalError when the disk does not take it."""
        path = self.folder / _MARK
        fresh = path.with_name(f"{_MARK}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with fresh.open("w", encoding="utf-8") as file:
                json.dump(mark._asdict(), file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError as error:
            raise JournalError(f"{path} cannot be written: {error.strerror}") from None

    def _read(self, line: str, counts: Counts) -> dict[str, Any] | None:
        text, tab, code = line.rstrip("\n").rpartition("\t")
        if not tab or not line.endswith("\n"):
            counts.torn += 1
            return None
        if not hmac.compare_digest(code.encode(), self._code(text).encode()):
            counts.forged += 1
            return None
        facts: dict[str, Any] = json.loads(text)
        return facts

    def _code(self, text: str) -> str:
        return keyed_hash(self._key, text).hex()[:32]
