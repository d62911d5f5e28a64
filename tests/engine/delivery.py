"""A delivery worker over the shipped fake provider, on a moved clock, for the tests of the engine ring."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import uvloop

from rekindle.engine.batch import PACE, Pace, Tally
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.deliver import Deliverer
from rekindle.engine.make_provider import Maker, Provider, sealed_values
from rekindle.engine.route import secret_owner
from rekindle.lib.clock import MovableClock
from rekindle.lib.vault import seal
from rekindle.providers.base import EmailProvider
from rekindle.providers.catalogue import KINDS
from rekindle.providers.fake import FakeProvider
from rekindle.providers.http_client import EgressRules, HttpSettings
from rekindle.store.async_connection import Line
from rekindle.store.buckets import buckets_of
from rekindle.store.database import Connection
from rekindle.terms.shop import ShopSettings
from tests.due_sends import Person, add_account, publish_template, seed
from tests.factories import make_shop

T = TypeVar("T")
LOOPBACK = HttpSettings(rules=EgressRules(allow_loopback=True), connections=8, connect_s=30.0, answer_s=30.0)


@dataclass
class World:
    """A shop with a template and an account at the fake, and a connection to look at what became of things."""

    connection: Connection
    dsn: str
    context: Context
    clock: MovableClock
    shop: ShopSettings
    template_version_id: int
    account_id: int
    provider: FakeProvider = field(default_factory=FakeProvider)
    providers: dict[str, EmailProvider] = field(default_factory=dict)
    pace: Pace = PACE
    http: HttpSettings = LOOPBACK
    maker: Maker = field(init=False)

    def __post_init__(self) -> None:
        self.maker = Maker(self.clock, self.http)

    def use_maker(self, maker: Maker) -> None:
        """Make every provider as the product does."""
        self.make = maker  # type: ignore[method-assign, assignment]

    def use_http(self, settings: HttpSettings) -> None:
        """Other time limits for what is reached over HTTP."""
        self.http, self.maker = settings, Maker(self.clock, settings)

    def add_api_account(self, kind: str, base_url: str, *, position: int = 0, **values: str) -> int:
        """An account of the catalogue that calls a server of ours."""
        hidden = {one.name for one in KINDS[kind].fields if one.is_secret}
        secret = sealed_values({name: value for name, value in values.items() if name in hidden})
        return add_account(
            self.connection,
            self.shop,
            kind=kind,
            options={"base_url": base_url} | {name: value for name, value in values.items() if name not in hidden},
            secret=seal(self.context.vault_key, secret, secret_owner(self.shop.id)),
            channel=KINDS[kind].channel.value,
            position=position,
        )

    def person(self, name: str = "ada", **changes: Any) -> Person:
        """One shopper whose send is due."""
        shop = changes.pop("shop", self.shop)
        version = changes.pop("template_version_id", self.template_version_id)
        return seed(self.connection, self.context, [Person(name, shop, template_version_id=version, **changes)])[0]

    def make(self, kind: str, options: dict[str, object], secret: bytes) -> Provider:
        if kind in self.providers:
            return self.providers[kind]
        if kind in KINDS:
            return self.maker(kind, options, secret)
        if kind != "fake":
            raise ValueError(f"no provider of the kind {kind}")
        return self.provider

    def deliver(self, *people: Person) -> Tally:
        """Deliver one batch of each bucket in which these people live."""
        buckets = sorted({person.bucket for person in people})

        async def work(worker: Deliverer) -> Tally:
            tally = Tally()
            for bucket in buckets:
                tally.add(await worker.deliver_batch(bucket))
            return tally

        return self.with_worker(work)

    def with_worker(self, work: Callable[[Deliverer], Coroutine[Any, Any, T]]) -> T:
        """Run something with a worker of its own, which is closed afterwards."""

        async def run() -> T:
            worker = Deliverer(
                Line(self.dsn), self.connection, self.context, Books.load(self.connection), self.make, pace=self.pace
            )
            try:
                return await work(worker)
            finally:
                await worker.close()
                await self.maker.close()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run())

    def shop_bucket(self) -> int:
        """The bucket of a shop that lies in one."""
        (bucket,) = buckets_of(self.shop)
        return bucket

    def state(self, person: Person) -> str:
        """The outbox row's state, else the kinds of the send's events."""
        row = self.connection.execute("SELECT state FROM outbox WHERE id = %s", [person.send_id]).fetchone()
        if row:
            return str(row[0])
        rows = self.connection.execute("SELECT kind FROM send_events WHERE send_id = %s ORDER BY at", [person.send_id])
        return "+".join(kind for (kind,) in rows.fetchall())

    def outbox(self, person: Person, *columns: str) -> tuple[Any, ...] | None:
        return self.connection.execute(
            f"SELECT {', '.join(columns)} FROM outbox WHERE id = %s", [person.send_id]
        ).fetchone()  # type: ignore[arg-type]

    def events(self, send_id: UUID) -> list[tuple[str, str | None]]:
        rows = self.connection.execute(
            "SELECT kind, reason FROM send_events WHERE send_id = %s ORDER BY at, kind", [send_id]
        )
        return [(row[0], row[1]) for row in rows.fetchall()]

    def decisions(self, person: Person) -> list[tuple[str, str]]:
        rows = self.connection.execute(
            "SELECT outcome, reason FROM decisions WHERE send_id = %s ORDER BY at, outcome", [person.send_id]
        )
        return [(row[0], row[1]) for row in rows.fetchall()]

    def set(self, table: str, person_id: UUID, **columns: Any) -> None:
        """Change a stored row behind the engine's back."""
        names = ", ".join(f"{name} = %({name})s" for name in columns)
        done = self.connection.execute(f"UPDATE {table} SET {names} WHERE id = %(id)s", {**columns, "id": person_id})  # type: ignore[arg-type]
        assert done.rowcount >= 1


def make_world(
    connection: Connection, dsn: str, context: Context, clock: MovableClock, spread: int, **shop: Any
) -> World:
    """A fresh shop on a database that other tests used before: nothing of theirs may be due."""
    connection.execute("DELETE FROM outbox")
    made = make_shop(connection, spread=spread, **shop)
    version = publish_template(connection, made, clock.now())
    account = add_account(connection, made, kind="fake")
    return World(connection, dsn, context, clock, made, version, account)
