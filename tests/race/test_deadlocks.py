"""A deadlock costs a repeat and nothing else, whichever verb PostgreSQL undoes to end it.

Each test brings one about: somebody holds a row that the verb comes to last, waits until the verb stands there, and asks
for the row that the verb took first. The other side never looks for deadlocks here, so that it is the verb's transaction
that is undone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from rekindle.engine.abandon import abandon
from rekindle.engine.books import Books
from rekindle.engine.context import Context
from rekindle.engine.delivery_loop import DeliveryLoop
from rekindle.engine.forget import erase
from rekindle.engine.onboard import create_shop
from rekindle.engine.opt_out import opt_out
from rekindle.lib.clock import SYSTEM_CLOCK, MovableClock
from rekindle.providers.base import EmailProvider
from rekindle.providers.fake import FakeProvider
from rekindle.store.database import Connection, connect
from rekindle.store.partitions import ensure_partitions
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings
from tests.due_sends import Person, add_account, publish_template, seed
from tests.engine.scene import one, put_cart, put_shopper, rows
from tests.factories import make_shop

from .processes import until

_SOON = "100ms"
_BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND cardinality(pg_blocking_pids(pid)) > 0"


@pytest.fixture
def shop(fresh_dsn: str, spread: int) -> ShopSettings:
    with connect(fresh_dsn) as link:
        return make_shop(link, spread=spread)


@pytest.fixture
def person(fresh_dsn: str, context: Context, shop: ShopSettings) -> Person:
    """Somebody with an abandoned cart and a send that is due."""
    with connect(fresh_dsn) as link:
        version = publish_template(link, shop, context.clock.now())
        return seed(link, context, [Person("ada", shop, template_version_id=version)])[0]


def undone(dsn: str, verb: Callable[[Connection], object], last: tuple[str, object], first: tuple[str, object]) -> None:
    """Run ``verb`` into a deadlock over its ``first`` and ``last`` lock, and make sure that there was one."""
    before = deadlocks(dsn)
    with connect(dsn) as other, connect(dsn) as link:
        other.execute("SET deadlock_timeout = '1h'")
        link.execute(f"SET deadlock_timeout = '{_SOON}'")  # type: ignore[arg-type]
        failures: list[BaseException] = []

        def run() -> None:
            try:
                verb(link)
            except BaseException as error:  # shown by the assertion below
                failures.append(error)

        worker = threading.Thread(target=run)
        with other.transaction():
            assert other.execute(last[0], [last[1]]).fetchall()  # type: ignore[arg-type]
            worker.start()
            until(lambda: rows(other, _BLOCKED, link.info.backend_pid), timeout_s=60, what="the verb's last lock")
            assert other.execute(first[0], [first[1]]).fetchall()  # type: ignore[arg-type]
        worker.join(60)
        assert not worker.is_alive()
        assert failures == []
    until(lambda: deadlocks(dsn) > before, timeout_s=60, what="the count of the deadlock")


def deadlocks(dsn: str) -> int:
    """How many the server noticed in this database so far; a session tells of its own when it ends, or a little later."""
    with connect(dsn) as link:
        told = one(link, "SELECT deadlocks AS n FROM pg_stat_database WHERE datname = current_database()")
        return int(str(told["n"]))


_SHOPPER = "SELECT 1 FROM shoppers WHERE id = %s FOR UPDATE"
_CONTACT = "SELECT 1 FROM contact_points WHERE id = %s FOR UPDATE"
_CART = "SELECT 1 FROM carts WHERE id = %s FOR UPDATE"


def test_an_opt_out(fresh_dsn: str, context: Context, shop: ShopSettings, person: Person) -> None:
    results = []

    def say_no(link: Connection) -> None:
        where = {"bucket": person.bucket, "shopper_id": person.shopper_id}
        done = opt_out(link, context, shop, **where, channels=[Channel.EMAIL], source="page", at=context.clock.now())
        results.append(done.cancelled_count)

    undone(fresh_dsn, say_no, (_CONTACT, person.contact_id), (_SHOPPER, person.shopper_id))
    with connect(fresh_dsn) as link:
        assert results == [1]
        assert one(link, "SELECT consent FROM contact_points LIMIT 1")["consent"] == "withdrawn"
        assert rows(link, "SELECT 1 FROM outbox") == []
        assert len(rows(link, "SELECT 1 FROM send_events")) == 1
        assert len(rows(link, "SELECT 1 FROM consents")) == 1


def test_an_erasure(fresh_dsn: str, context: Context, shop: ShopSettings, person: Person) -> None:
    results = []

    def forget(link: Connection) -> None:
        done = erase(link, context, shop, bucket=person.bucket, shopper_id=person.shopper_id, source="page")
        results.append((done.found, done.cancelled_count))

    last, first = (_SHOPPER, person.shopper_id), (_CART, person.cart_id)
    if shop.spread > 1:  # carts have a transaction of their own there
        last, first = (_CONTACT, person.contact_id), (_SHOPPER, person.shopper_id)
    undone(fresh_dsn, forget, last, first)
    with connect(fresh_dsn) as link:
        assert results == [(True, 1)]
        assert one(link, "SELECT first_name, erased_at IS NOT NULL AS gone FROM shoppers") == {
            "first_name": "",
            "gone": True,
        }
        assert rows(link, "SELECT 1 FROM outbox") == []
        assert len(rows(link, "SELECT 1 FROM send_events")) == 1


def test_a_look_at_idle_carts(fresh_dsn: str, context: Context, clock: MovableClock, spread: int) -> None:
    with connect(fresh_dsn) as link:
        shop = create_shop(link, context, slug="s", name="S", spread=spread, holdout_rate=0)
        shopper = put_shopper(link, context, shop)
        cart = put_cart(link, context, shop, shopper)
        books = Books.load(link)
    clock.advance(timedelta(minutes=30))

    def look(link: Connection) -> None:
        while not abandon(link, context, books, cart.bucket).examined:  # it passes over what somebody holds
            pass

    undone(fresh_dsn, look, (_SHOPPER, shopper.id), (_CART, cart.id))
    with connect(fresh_dsn) as link:
        assert one(link, "SELECT state FROM carts")["state"] == "abandoned"
        assert len(rows(link, "SELECT 1 FROM decisions WHERE question = 'abandon'")) == 1


def test_a_second_lock(fresh_dsn: str) -> None:
    """Two people in one wave, whose orders come in one report and in the other order: both are written to once."""
    context = Context(hash_key=b"h" * 32, vault_key=b"v" * 32, public_url="https://rekindle.example")
    provider = FakeProvider()

    def make(kind: str, options: dict[str, object], secret: bytes) -> EmailProvider:
        return provider

    with connect(fresh_dsn) as link, connect(fresh_dsn) as other:
        ensure_partitions(link, SYSTEM_CLOCK.now())
        shop = make_shop(link)
        version = publish_template(link, shop, SYSTEM_CLOCK.now())
        add_account(link, shop, kind="fake")
        people = seed(link, context, [Person(name, shop, template_version_id=version) for name in ("ada", "bob")])
        low, high = sorted(person.shopper_id for person in people)
        loop = DeliveryLoop(f"{fresh_dsn} options='-c deadlock_timeout={_SOON}'", context, make=make)
        other.execute("SET deadlock_timeout = '1h'")
        try:
            with other.transaction():
                other.execute(_SHOPPER, [high])
                loop.start()
                blocked = "SELECT 1 FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
                until(lambda: rows(link, blocked, other.info.backend_pid), timeout_s=60, what="the second lock")
                other.execute(_SHOPPER, [low])
                assert provider.started == []
            until(lambda: not rows(link, "SELECT 1 FROM outbox"), timeout_s=60, what="the end of the work")
        finally:
            loop.ask_to_stop()
            assert loop.join(60)
        assert sorted(letter.recipient for letter in provider.started) == sorted(person.to for person in people)
        kinds = [row["kind"] for row in rows(link, "SELECT kind FROM send_events")]
        assert kinds == ["handed_over", "handed_over"]
