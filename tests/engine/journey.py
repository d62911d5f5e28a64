"""How does a test get a cart that was left, enrolled and is being written about? Told as events, on the real engine."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from rekindle.engine.abandon import abandon
from rekindle.engine.advance import advance
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.lib.ids import timed_id
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings

from .scene import busy_buckets, one, put_flow, rows

HOURS = timedelta(hours=1)


class Journey:
    """A shop whose flow writes after 4, 24 and 72 hours, and a clock that moves it along."""

    def __init__(self, connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings) -> None:
        self.connection = connection
        self.context = context
        self.clock = clock
        self.shop = shop
        put_flow(connection, shop, activated_at=clock.now() - timedelta(days=1))

    def pass_time(self, span: timedelta) -> None:
        """Let time go by; the worker looks at carts and steps afterwards."""
        self.clock.advance(span)
        books = Books.load(self.connection)
        for bucket in busy_buckets(self.connection):
            abandon(self.connection, self.context, books, bucket)
        for bucket in busy_buckets(self.connection):
            advance(self.connection, self.context, books, bucket)

    def read(self, table: str, columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        statement = f"SELECT {columns} FROM {table} WHERE shop_id = %s AND {where} ORDER BY 1"
        return self.connection.execute(statement, [self.shop.id]).fetchall()  # type: ignore[arg-type]

    def send_happened(self, kind: str, at: datetime, number: int = 0) -> UUID:
        """Something happened to the shop's send of that number (oldest first): it was handed over, its link used."""
        sends = rows(
            self.connection,
            "SELECT bucket, id, shopper_id FROM sends WHERE shop_id = %s ORDER BY created_at, id",
            self.shop.id,
        )
        send = sends[number]
        self.connection.execute(
            "INSERT INTO send_events (bucket, id, shop_id, send_id, shopper_id, kind, at, detail)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, '{}')",
            [
                send["bucket"],
                timed_id(at, f"{send['id']}{kind}{at}".encode()),
                self.shop.id,
                send["id"],
                send["shopper_id"],
                kind,
                at,
            ],
        )
        if kind == "handed_over":
            self.connection.execute("DELETE FROM outbox WHERE bucket = %s AND id = %s", [send["bucket"], send["id"]])
        return UUID(str(send["id"]))

    def one(self, query: str, *parameters: object) -> dict[str, object]:
        return one(self.connection, query, *parameters)
