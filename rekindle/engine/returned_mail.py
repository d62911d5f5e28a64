"""What do letters in the return-path or reply mailbox tell? Read one by one, applied like a provider's reports.

Anybody can write to that mailbox. So a letter counts only for the send that it names by our header or Message-ID, which
only its recipient and the servers on the way know; and a reply is never carried out, but shown to a person.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from rekindle.engine.context import Context
from rekindle.engine.feedback import Applied, Source, apply_feedback
from rekindle.providers.email.dsn import read_mail
from rekindle.providers.feedback import Feedback, FeedbackKind
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection
from rekindle.store.feedback import find_sends, shops_of_sends
from rekindle.store.shops import load_shop
from rekindle.terms.send import Channel
from rekindle.terms.send_reference import read_reference
from rekindle.terms.shop import ShopSettings

NAME: Final = "mailbox"


@dataclass(slots=True)
class LettersRead:
    """``by_kind``: what the letters were; ``ended``: addresses and channels that are closed by them; ``unmatched``:
    about no message of ours, or of another shop than was told."""

    letters: int = 0
    new: int = 0
    ended: int = 0
    unmatched: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, applied: Applied | None) -> None:
        self.by_kind[kind] = self.by_kind.get(kind, 0) + 1
        if applied is not None:
            self.new += applied.new
            self.ended += applied.ended
            self.unmatched += applied.unmatched


def read_letters(
    connection: Connection, context: Context, letters: Iterable[bytes], *, shop: ShopSettings | None = None
) -> LettersRead:
    """Read and apply letters; each is committed before the next is taken.

    ``shop``: to whom the mailbox belongs. It is needed for replies, and for letters that came back without our header.
    """
    read = LettersRead()
    shops: dict[int, ShopSettings | None] = {}
    for raw in letters:
        read.letters += 1
        for one in read_mail(raw, context.clock.now()):
            if one.kind is FeedbackKind.OTHER:
                read.add(one.name or "other", None)
                continue
            owner = _shop_of(connection, one, shop, shops)
            if owner is None:
                read.add(one.kind.value, Applied(unmatched=1))
                continue
            source = Source(shop=owner, channel=Channel.EMAIL, name=NAME)
            read.add(one.kind.value, apply_feedback(connection, context, source, [one]))
    return read


def _shop_of(
    connection: Connection, one: Feedback, told: ShopSettings | None, shops: dict[int, ShopSettings | None]
) -> ShopSettings | None:
    """The shop of the send that a letter names; a mailbox's own for one that names none."""
    if one.kind is FeedbackKind.REPLIED:
        return told
    reference = read_reference(one.send_id)
    if reference is None:
        return told if told is not None and _is_of(connection, one.send_id, told) else None
    shop_id = shops_of_sends(connection, reference.bucket, [reference.send_id]).get(reference.send_id)
    if shop_id is None or (told is not None and told.id != shop_id):
        return None
    if shop_id not in shops:
        shops[shop_id] = load_shop(connection, shop_id)
    return shops[shop_id]


def _is_of(connection: Connection, text: str, shop: ShopSettings) -> bool:
    try:
        return bool(find_sends(connection, buckets_of(shop), shop.id, [UUID(text)]))
    except ValueError:
        return False
