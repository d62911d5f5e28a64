"""How does a test get a message that was sent, with the links a shopper would find in it?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from rekindle.engine.context import Context
from rekindle.lib.ids import timed_id
from rekindle.lib.tokens import Purpose, hash_of, make_token, secret_of
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings
from rekindle.web import runtime
from rekindle.web.public import door

SEED = b"s" * 16
#: The preferences of a shopper who lets it be noted which links they follow.
AGREED = '{"clicks": true}'


@dataclass(frozen=True)
class Sent:
    """A send and the tokens in its message."""

    bucket: int
    id: UUID
    link: str
    optout: str


def put_send(
    connection: Connection,
    shop: ShopSettings,
    *,
    shopper: tuple[int, UUID],
    cart: tuple[int, UUID],
    at: datetime,
    channel: str = "email",
    seed: bytes = SEED,
    **context: object,
) -> Sent:
    """A send to this shopper about this cart; ``context`` is what was fixed when it was planned (links, locale)."""
    bucket, shopper_id = shopper
    send_id = timed_id(at, f"{shopper_id}:{cart[1]}:{channel}:{seed!r}".encode())
    connection.execute(
        "INSERT INTO sends (bucket, id, shop_id, enrolment_id, flow_id, flow_version_id, step, channel, shopper_id,"
        " contact_point_id, cart_bucket, cart_id, template_version_id, created_at, planned_at, link_hash, optout_hash,"
        " context) VALUES (%s, %s, %s, %s, 1, 1, 'mail-1', %s, %s, %s, %s, %s, 1, %s, %s, %s, %s, %s)",
        [
            bucket, send_id, shop.id, send_id, channel, shopper_id, shopper_id, *cart, at, at,
            hash_of(secret_of(seed, Purpose.LINK)), hash_of(secret_of(seed, Purpose.OPTOUT)), Jsonb(context),
        ],
    )  # fmt: skip
    link, optout = (make_token(bucket, send_id, seed, purpose) for purpose in (Purpose.LINK, Purpose.OPTOUT))
    return Sent(bucket, send_id, link, optout)


def events_of(connection: Connection, sent: Sent) -> list[tuple[str, dict[str, object]]]:
    """Kind and detail of what happened to a send."""
    rows = connection.execute(
        "SELECT kind, detail FROM send_events WHERE bucket = %s AND send_id = %s ORDER BY at, id",
        [sent.bucket, sent.id],
    ).fetchall()
    return [(kind, detail) for kind, detail in rows]


class OneConnection:
    """Stands where the pool stands: every request gets the test's own connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @contextmanager
    def control(self) -> Iterator[Connection]:
        yield self.connection

    @contextmanager
    def data(self, bucket: int) -> Iterator[Connection]:
        yield self.connection


def use(monkeypatch: pytest.MonkeyPatch, connection: Connection, context: Context) -> None:
    """Let the web side use this connection and context."""
    monkeypatch.setattr(runtime, "database", lambda: OneConnection(connection))
    monkeypatch.setattr(runtime, "context", lambda: context)
    monkeypatch.setattr(door, "_shops", type(door._shops)(lambda _shop_id: None))
    door._wrong.cache_clear()
