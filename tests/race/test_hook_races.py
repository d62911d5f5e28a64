"""The same report many times at once, through the door and over several connections, is one report (R-14).

``REKINDLE_HOOK_COPIES`` says how many times: `make prove` sends a thousand copies.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import psycopg
import pytest

from rekindle.engine.context import Context
from rekindle.store.database import connect
from rekindle.terms.send_reference import SendReference
from rekindle.terms.shop import ShopSettings
from tests.engine.scene import Placed, put_cart, put_shopper
from tests.factories import make_shop
from tests.providers.signed_reports import Account, Sealed, Told, report, sign_twilio
from tests.web.django_database import django_on
from tests.web.hooks.hooked import ask, forget_hooks, put_account
from tests.web.hooks.scene import PHONE, put_phone
from tests.web.sent import SEED, Sent, put_send

TIMES = int(os.environ.get("REKINDLE_HOOK_COPIES", "200"))
THREADS = 16


@dataclass
class Scene:
    dsn: str
    context: Context
    shop: ShopSettings
    shopper: Placed
    sent: Sent
    mail: Account
    texts: Account

    def told(self, what: str, seconds: int = 0) -> Told:
        at = self.context.clock.now() + timedelta(seconds=seconds)
        return Told(what, send=str(SendReference(self.sent.bucket, self.sent.id)), at=at)

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as link:
            return link.execute(text).fetchall()  # type: ignore[arg-type]


@pytest.fixture
def scene(fresh_dsn: str, context: Context, spread: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    forget_hooks(monkeypatch)
    with connect(fresh_dsn) as link:
        shop = make_shop(link, spread=spread, country="US")  # where it may be noted who opens
        shopper = put_shopper(link, context, shop, country="US")
        put_phone(link, context, shop, shopper)
        cart = put_cart(link, context, shop, shopper)
        at = context.clock.now() - timedelta(hours=1)
        sent = put_send(link, shop, shopper=(shopper.bucket, shopper.id), cart=(cart.bucket, cart.id), at=at)
        link.execute(
            "UPDATE sends SET contact_point_id = (SELECT id FROM contact_points WHERE bucket = %s AND shopper_id = %s"
            " AND channel = 'email') WHERE bucket = %s AND id = %s",
            [shopper.bucket, shopper.id, sent.bucket, sent.id],
        )
        link.execute(
            "INSERT INTO outbox (bucket, id, shop_id, shopper_id, enrolment_id, channel, state, send_at, attempts, seed,"
            " uncertain_at) VALUES (%s, %s, %s, %s, %s, 'email', 'uncertain', %s, 0, %s, %s)",
            [sent.bucket, sent.id, shop.id, shopper.id, sent.id, at, SEED, at],
        )
        mail = put_account(link, context, shop, "sendgrid")
        texts = put_account(link, context, shop, "twilio")
    with django_on(fresh_dsn, context, pool=THREADS):
        yield Scene(fresh_dsn, context, shop, shopper, sent, mail, texts)


def at_once(account: Account, sealed: list[Sealed]) -> Counter[tuple[int, bytes]]:
    """Send them all over many threads; the answers."""
    with ThreadPoolExecutor(THREADS) as threads:
        answers = list(threads.map(lambda one: ask(account.path, one), sealed))
    return Counter((answer.status, answer.body) for answer in answers)


def test_copies_of_a_batch_at_once_are_one(scene: Scene) -> None:
    told = [scene.told(what, n) for n, what in enumerate(("queued", "delivered", "opened", "complained", "unheard"))]
    sealed = report(scene.mail, told, scene.context.clock.now())
    assert at_once(scene.mail, [sealed] * TIMES) == {(200, b"ok\n"): TIMES}
    kinds = scene.query("SELECT kind FROM send_events ORDER BY kind")
    assert kinds == [("complained",), ("delivered",), ("handed_over",), ("opened",)]
    assert scene.query("SELECT count(*) FROM outbox") == [(0,)]
    assert scene.query("SELECT DISTINCT channel, reason FROM suppressions") == [("email", "complaint")]
    assert scene.query("SELECT count(*) FROM consents") == [(1,)]
    assert scene.query("SELECT name, times FROM strange_reports") == [("teleported", TIMES)], "each request is counted"


def test_reports_in_all_orders_and_all_at_once_lead_to_the_same(scene: Scene) -> None:
    told = [scene.told(what, n) for n, what in enumerate(("delivered", "opened", "bounced", "unsubscribed"))]
    batches = [report(scene.mail, order, scene.context.clock.now()) for order in permutations(told)]
    assert set(at_once(scene.mail, batches * (TIMES // 100))) == {(200, b"ok\n")}
    kinds = scene.query("SELECT kind FROM send_events ORDER BY kind")
    assert kinds == [("bounced",), ("delivered",), ("handed_over",), ("opened",), ("unsubscribed",)]
    assert scene.query("SELECT count(*) FROM consents") == [(1,)]
    (reasons,) = zip(*scene.query("SELECT DISTINCT reason FROM suppressions"), strict=True)
    assert set(reasons) <= {"hard_bounce", "unsubscribed"}


def test_a_no_said_many_times_at_once_is_confirmed_once(scene: Scene) -> None:
    texts = [
        sign_twilio(scene.texts, {"MessageSid": f"SM{n % 50}", "From": PHONE, "To": "+1", "Body": "please stop now"})
        for n in range(200)
    ]
    answers = at_once(scene.texts, texts)
    assert sum(count for (_, body), count in answers.items() if b"<Message>" in body) == 1
    assert {status for status, _ in answers} == {200}
    assert scene.query("SELECT count(*) FROM replies") == [(50,)]
    assert scene.query("SELECT DISTINCT consent FROM contact_points WHERE channel = 'sms'") == [("withdrawn",)]


def test_a_forged_flood_leaves_nothing(scene: Scene) -> None:
    forged = report(replace(scene.mail, key="guess"), [scene.told("complained")], scene.context.clock.now())
    assert at_once(scene.mail, [forged] * 300) == {(401, b"not accepted\n"): 300}
    assert scene.query("SELECT count(*) FROM send_events") == [(0,)]
