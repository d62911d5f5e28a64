"""Is this database the one that was last worked with, or an older copy of it? Nothing is sent from an older copy.

The database counts up every few seconds, and the journal outside it keeps the highest number. A database that is behind
was restored from a backup: people who opted out or were erased since would be written to. The gate stays closed until
the journal has been replayed (`rekindle restore replay`).
"""

from __future__ import annotations

import logging
import uuid
from typing import Final, NamedTuple

from rekindle.engine.context import Context
from rekindle.lib.journal import Journal, JournalError, Mark
from rekindle.store import installation as store
from rekindle.store.database import Connection

log = logging.getLogger(__name__)

#: How often the count goes up: what was refused within so long before a backup that is restored at once is not noticed.
BEAT_S: Final = 10.0


class Gate(NamedTuple):
    """``why``: what an operator is told when it is closed."""

    is_open: bool
    why: str = ""


_OPEN: Final = Gate(True)


def gate(connection: Connection, context: Context) -> Gate:
    """Whether messages may leave; only reads. Without a journal (switched off) they may."""
    journal = context.journal
    if journal is None:
        return _OPEN
    try:
        mark = journal.mark()
    except JournalError as error:
        return Gate(False, f"the journal of opt-outs is out of reach: {error}")
    here = store.installation(connection)
    return verdict(mark, None if here is None else Mark(here.key, here.beat))


def begin(connection: Connection, context: Context) -> None:
    """A database that no worker has seen yet becomes the one: when there is no journal yet, or nothing was ever sent
    from it, so that it cannot be an old copy of anything."""
    journal = context.journal
    if journal is None or store.installation(connection) is not None:
        return
    try:
        if journal.mark() is not None and store.has_sends(connection):
            return
        store.begin_installation(connection, str(uuid.uuid4()), context.clock.now())
        here = store.installation(connection)
        if here is not None:
            journal.set_mark(Mark(here.key, here.beat))
    except JournalError as error:
        log.error("journal_not_marked", extra={"facts": {"why": str(error)}})


def verdict(mark: Mark | None, here: Mark | None) -> Gate:
    """From the journal's mark and the database's own; neither is there before the first worker.

    >>> verdict(Mark("a", 7), Mark("a", 7)).is_open, verdict(Mark("a", 7), Mark("a", 8)).is_open
    (True, True)
    >>> verdict(Mark("a", 7), Mark("a", 6)).is_open, verdict(Mark("b", 1), Mark("a", 6)).is_open
    (False, False)
    """
    if mark is None and here is None:
        return _OPEN
    if mark is None:
        return Gate(False, "the journal of opt-outs and erasures is missing, so that nobody knows what it would say")
    if here is None or mark.installation != here.installation:
        return Gate(False, "the journal of opt-outs and erasures belongs to another database than this one")
    if here.beat < mark.beat:
        return Gate(False, "the database is older than the journal of opt-outs and erasures: it was restored")
    return _OPEN


def beat(connection: Connection, context: Context) -> None:
    """Count up, in the database first and then in the journal. Behind a closed gate nothing is counted."""
    begin(connection, context)
    if context.journal is None or not gate(connection, context).is_open:
        return
    here = store.count_up(connection, context.clock.now())
    if here is None:
        return
    try:
        context.journal.set_mark(Mark(here.key, here.beat))
    except JournalError as error:
        log.error("journal_not_marked", extra={"facts": {"why": str(error)}})


def open_gate(connection: Connection, context: Context, journal: Journal) -> None:
    """The journal was replayed: from now on this database is the one. Raises JournalError."""
    mark = journal.mark()
    store.begin_installation(connection, str(uuid.uuid4()), context.clock.now())
    here = store.catch_up(connection, mark.beat if mark is not None else 0, context.clock.now())
    journal.set_mark(Mark(here.key, here.beat))
