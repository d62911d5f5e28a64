"""How do consents that were given elsewhere come in, with where they come from? As events of the shop's own server.

Each goes the way of any other consent, so that what is erased stays erased and an address finds its shopper; only that
nobody is asked to confirm what they agreed to long ago, and no suppression is lifted by a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from rekindle.engine.context import Context
from rekindle.engine.ingest import ingest
from rekindle.policy.consent_file import ImportedConsent
from rekindle.store.database import Connection
from rekindle.terms.consent import ConsentMarks
from rekindle.terms.event import ConsentGiven, EventKind, ShopEvent
from rekindle.terms.shop import ShopSettings

BATCH: Final = 500
NAME: Final = "Consent imported"


class Imported(NamedTuple):
    """``new``: written down; ``known``: the same line came before; ``unprovable``: without a text or version."""

    new: int
    known: int
    unprovable: int


def import_consents(
    connection: Connection, context: Context, shop: ShopSettings, rows: Sequence[ImportedConsent], *, source: str
) -> Imported:
    """Write consents down; commits every `BATCH` of them. The same line from the same source counts once, so that an
    import that was interrupted can be repeated."""
    new = known = unprovable = 0
    for at in range(0, len(rows), BATCH):
        some = rows[at : at + BATCH]
        result = ingest(connection, context, shop, [_event(context, shop, row, source) for row in some])
        new, known = new + result.stored, known + result.duplicates
        unprovable += sum(1 for row in some if row.granted and not (row.texts["wording"] or row.texts["version"]))
    return Imported(new, known, unprovable)


def _event(context: Context, shop: ShopSettings, row: ImportedConsent, source: str) -> ShopEvent:
    said = ConsentGiven(
        channel=row.channel,
        granted=row.granted,
        wording=row.texts["wording"],
        version=row.texts["version"],
        language=row.texts["language"],
        form=row.texts["form"],
        page=row.texts["page"],
        method=row.texts["method"],
        source=f"import: {source}",
        marks=ConsentMarks(row.confirmed, row.written, row.mentions_cart),
    )
    return ShopEvent(
        shop_id=shop.id,
        message_key=_key([source, *(str(part) for part in row[1:])]),
        kind=EventKind.IDENTIFIED,
        name=NAME,
        at=row.given_at,
        stamped_at=row.given_at,
        received_at=context.clock.now(),
        email=row.address if row.channel == "email" else None,
        phone=row.address if row.channel == "sms" else None,
        consents=(said,),
        is_from_server=True,
    )


def _key(parts: Sequence[str]) -> str:
    """The same for the same line of the same source; it holds no address."""
    return "import:" + hashlib.sha256("\0".join(parts).encode()).hexdigest()
