"""How is what people do written down, and seen to be whole? One chain over the installation, its head kept outside.

Sign-ins, everything that a role allows beyond reading, commands that change something, and who looked at a shopper's
address. Written in the dashboard by ``web.dashboard.access`` for every route, on the command line by ``commands.cli``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec.structs import replace

from rekindle.engine.context import Context
from rekindle.lib.hashing import keyed_hash
from rekindle.policy.chain import GENESIS, Link, first_fault, instant, link_hash
from rekindle.store import audit_log as store
from rekindle.store.database import Connection
from rekindle.terms.log_entry import Deed, LogEntry

#: The name of this chain among the heads that are kept outside.
LEDGER = "log"
_MOST_CHARACTERS = 200
log = logging.getLogger(__name__)


def note(connection: Connection, context: Context, deed: Deed) -> int:
    """Write a deed down; commits unless the caller has a transaction open. Returns the entry's number."""
    with connection.transaction():
        last = store.hold_log(connection)
        seq, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
        entry = LogEntry(
            seq=seq,
            at=context.clock.now(),
            shop_id=deed.shop_id,
            actor=_clean(deed.actor),
            action=_clean(deed.action),
            outcome=deed.outcome.value,
            subject=_clean(deed.subject),
            facts=json.loads(_clean(json.dumps(dict(deed.facts), default=str), 4_000, "{}")),
            network=_clean(deed.network),
            previous_hash=previous,
            row_hash=b"",
        )
        own = link_hash(log_key(context), previous, _fields(entry))
        store.add_entry(connection, replace(entry, row_hash=own))
    return seq


def fault_of_log(
    connection: Connection, context: Context, heads: Mapping[int, bytes] | None = None
) -> tuple[int, str | None]:
    """How many entries there are, and what is wrong with them; None when nothing is. ``heads`` as kept outside."""
    count = 0

    def links() -> Iterable[Link]:
        nonlocal count
        for entry in store.whole_log(connection):
            count += 1
            yield Link(entry.seq, _fields(entry), entry.previous_hash, entry.row_hash)

    with connection.transaction():
        fault = first_fault(log_key(context), links(), heads)
    return count, fault


def keep_head(connection: Connection, context: Context) -> object:
    """Write the end of the chain where the database's owner cannot reach: into a file, and into our own logs."""
    last = store.last_entry(connection)
    if last is None:
        return None
    keep_outside(context, LEDGER, *last)
    return last[0]


def keep_outside(context: Context, ledger: str, seq: int, own_hash: bytes) -> None:
    """The end of a chain into our own logs, and into the file of heads unless it is there already."""
    line = {"at": context.clock.now().isoformat(), "ledger": ledger, "seq": seq, "hash": own_hash.hex()}
    log.info("ledger_head", extra={"facts": line})
    if context.heads_file is not None and kept_heads(context.heads_file, ledger).get(seq) != own_hash:
        context.heads_file.parent.mkdir(parents=True, exist_ok=True)
        with context.heads_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def kept_heads(path: Path | None, ledger: str = LEDGER) -> dict[int, bytes]:
    """The heads in a file by number; lines that are none are passed over. No file: no heads."""
    found: dict[int, bytes] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path else []
    except FileNotFoundError:
        lines = []
    for line in lines:
        try:
            told = json.loads(line)
            if told["ledger"] == ledger:
                found[int(told["seq"])] = bytes.fromhex(told["hash"])
        except (ValueError, KeyError, TypeError):
            continue
    return found


def log_key(context: Context) -> bytes:
    """The key of the log's chain, derived from the installation's hash key."""
    return keyed_hash(context.hash_key, "audit-log")


def _fields(entry: LogEntry) -> list[object]:
    return [
        entry.seq,
        instant(entry.at),
        entry.shop_id,
        entry.actor,
        entry.action,
        entry.outcome,
        entry.subject,
        dict(entry.facts),
        entry.network,
    ]


def _clean(text: str, most: int = _MOST_CHARACTERS, instead: str = "") -> str:
    """Nothing that a database refuses, and not without end."""
    kept = text.replace("\x00", "").replace("\\u0000", "")
    return kept if len(kept) <= most else instead or kept[:most]
