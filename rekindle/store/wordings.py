"""How are the texts kept that shoppers are shown before they agree?"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from rekindle.store.database import Connection
from rekindle.store.statements import sql
from rekindle.terms.consent import Wording


def add_wording(connection: Connection, shop_id: int, wording: Wording, *, now: datetime, by: str) -> bool:
    """False when this version is there already."""
    values = {**wording._asdict(), "shop_id": shop_id, "text_hash": text_hash(wording.text), "now": now, "by": by[:150]}
    return connection.execute(sql("add_wording"), values).fetchone() is not None


def kept_wordings(connection: Connection, shop_id: int) -> list[Wording]:
    return [Wording(*row) for row in connection.execute(sql("kept_wordings"), {"shop_id": shop_id})]


def wording_named(
    connection: Connection, shop_id: int, *, purpose: str, version: str, language: str, at: datetime
) -> Wording | None:
    values = {"shop_id": shop_id, "purpose": purpose, "version": version, "language": language, "at": at}
    row = connection.execute(sql("wording_named"), values).fetchone()
    return Wording(*row) if row else None


def wording_of_text(connection: Connection, shop_id: int, *, purpose: str, text: str, at: datetime) -> Wording | None:
    values = {"shop_id": shop_id, "purpose": purpose, "text_hash": text_hash(text), "at": at}
    row = connection.execute(sql("wording_of_text"), values).fetchone()
    return Wording(*row) if row else None


def text_hash(text: str) -> bytes:
    return sha256(text.encode()).digest()
