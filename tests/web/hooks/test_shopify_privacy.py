"""Are Shopify's mandatory topics believed when they are proven, carried out, and refused with 401 otherwise? (S-12)"""

from __future__ import annotations

import base64
import hmac
import io
import json
from pathlib import Path

import pytest
from django.conf import settings

from rekindle.commands import shop as command
from rekindle.commands.cli import parser_of
from rekindle.engine.context import Context
from rekindle.engine.privacy.export import make_files
from rekindle.engine.privacy.shopify import KIND, erase_whole_shops, keep_secrets
from rekindle.lib.clock import MovableClock
from rekindle.lib.operator_error import OperatorError
from rekindle.store.database import Connection, connect
from rekindle.store.shop_platforms import platform_of_domain, put_platform
from rekindle.terms.shop import ShopSettings
from rekindle.web import routes, shopify_privacy
from rekindle.web.http import Answer, Request
from rekindle.web.rate import RateLimit
from tests.event_factory import added, identified, item, tell
from tests.factories import make_shop
from tests.web.sent import use

SECRET, BEFORE, DOMAIN = "shpss_now", "shpss_before", "fernweh.myshopify.com"
JOHN = "john@example.com"
#: Shopify's documented samples of the three topics.
DATA_REQUEST = {
    "shop_id": 954889, "shop_domain": DOMAIN, "orders_requested": [299938, 280263, 220458],
    "customer": {"id": 191167, "email": JOHN, "phone": "555-625-1199"}, "data_request": {"id": 9999},
}  # fmt: skip
REDACT = {
    "shop_id": 954889, "shop_domain": DOMAIN, "customer": {"id": 191167, "email": JOHN, "phone": "555-625-1199"},
    "orders_to_redact": [299938],
}  # fmt: skip
SHOP_REDACT = {"shop_id": 954889, "shop_domain": DOMAIN}


@pytest.fixture
def shop(
    connection: Connection, context: Context, clock: MovableClock, spread: int, monkeypatch: pytest.MonkeyPatch
) -> ShopSettings:
    use(monkeypatch, connection, context)
    shopify_privacy._wrong.cache_clear()
    made = make_shop(connection, spread=spread)
    secret = keep_secrets(context, made, DOMAIN, [SECRET, BEFORE])
    assert put_platform(connection, made.id, KIND, DOMAIN, secret)
    tell(
        connection, context, made, identified(JOHN, at=clock.now(), visitor_key="a:1", traits={"first_name": "John"}),
        added(item("mug"), at=clock.now(), visitor_key="a:1"),
    )  # fmt: skip
    return made


def call(
    topic: str, body: object, *, secret: str = SECRET, domain: str = DOMAIN, prefix: str = "x-shopify-", **changed: str
) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {
        "topic": topic, "shop-domain": domain, "webhook-id": "b54557e4",
        "hmac-sha256": base64.b64encode(hmac.digest(secret.encode(), raw, "sha256")).decode(),
    } | {name.replace("_", "-"): value for name, value in changed.items()}  # fmt: skip
    headers = {f"{prefix}{name}": value for name, value in named.items()}
    handler = routes.handler_for("/hooks/shopify-privacy")
    assert handler is shopify_privacy.receive
    return handler(
        Request(
            method="POST", path="/hooks/shopify-privacy", header=lambda name: headers.get(name, ""),
            read=lambda limit: raw if len(raw) <= limit else None,
        )
    )  # fmt: skip


def read(connection: Connection, statement: str) -> list[tuple[object, ...]]:
    return connection.execute(statement).fetchall()  # type: ignore[arg-type]


def test_a_data_request_orders_the_file_once(connection: Connection, context: Context, shop: ShopSettings) -> None:
    for prefix in ("x-shopify-", "shopify-"):  # told twice, by both families of names
        assert call("customers/data_request", DATA_REQUEST, prefix=prefix).status == 200
    asked = read(connection, "SELECT kind, state, source, customer_key, shopper_id IS NOT NULL FROM privacy_requests")
    assert asked == [("access", "verified", "shopify", "191167", True)]
    assert make_files(connection, context) == 1


def test_a_redaction_erases_at_once_also_with_the_secret_before(connection: Connection, shop: ShopSettings) -> None:
    assert call("customers/redact", REDACT | {"orders_to_redact": []}, secret=BEFORE).status == 200
    assert read(connection, "SELECT kind, state, note FROM privacy_requests") == [("erasure", "answered", "")]
    assert read(connection, "SELECT first_name, erased_at IS NOT NULL FROM shoppers") == [("", True)]
    assert read(connection, "SELECT DISTINCT reason FROM suppressions") == [("erased",)]
    assert call("customers/redact", REDACT | {"orders_to_redact": []}).status == 200
    assert read(connection, "SELECT count(*) FROM privacy_requests") == [(1,)]


def test_a_shop_that_left_is_erased_by_a_worker_and_no_other(
    connection: Connection, context: Context, shop: ShopSettings, clock: MovableClock
) -> None:
    other = make_shop(connection)
    tell(connection, context, other, identified(JOHN, at=clock.now(), visitor_key="a:1"))
    assert call("shop/redact", SHOP_REDACT).status == 200
    assert read(connection, "SELECT count(*) FROM shoppers WHERE erased_at IS NOT NULL") == [(0,)]
    clock.set(clock.now().replace(hour=23))
    assert erase_whole_shops(connection, context) == 1
    assert read(connection, f"SELECT count(*) FROM shoppers WHERE erased_at IS NULL AND shop_id = {shop.id}") == [(0,)]
    assert read(connection, f"SELECT count(*) FROM shoppers WHERE erased_at IS NULL AND shop_id = {other.id}") == [(1,)]
    assert read(connection, f"SELECT count(*) FROM events WHERE shop_id = {shop.id}") == [(0,)]
    assert read(connection, f"SELECT sending_paused FROM shops WHERE id = {shop.id}") == [(True,)]
    assert read(connection, "SELECT state FROM privacy_requests") == [("answered",)]
    assert erase_whole_shops(connection, context) == 0


def test_what_is_not_proven_is_answered_401_and_changes_nothing(connection: Connection, shop: ShopSettings) -> None:
    raw = json.dumps(REDACT).encode()
    forged = [
        call("customers/redact", REDACT, secret="guessed"),
        call("customers/redact", REDACT, domain="nobody.myshopify.com"),
        call("customers/redact", REDACT, domain=""),
        call("customers/redact", REDACT, hmac_sha256=""),
        call("customers/redact", REDACT, hmac_sha256=hmac.digest(SECRET.encode(), raw, "sha256").hex()),
        call("customers/redact", raw + b" ", hmac_sha256=base64.b64encode(hmac.digest(SECRET.encode(), raw, "sha256")).decode()),
    ]  # fmt: skip
    assert [(answer.status, answer.body) for answer in forged] == [(401, b"not accepted\n")] * len(forged)
    assert call("customers/redact", b"{").status == 400
    assert call("customers/redact", {"customer": {}}).status == 400
    assert call("orders/create", {}).status == 400
    assert call("customers/redact", b"x" * (shopify_privacy.MAX_BODY + 1)).status == 413
    assert shopify_privacy.receive(Request(method="GET", path=shopify_privacy.PATH)).status == 405
    assert read(connection, "SELECT count(*) FROM privacy_requests") == [(0,)]
    assert read(connection, "SELECT count(*) FROM shoppers WHERE erased_at IS NOT NULL") == [(0,)]


def test_guessing_is_braked(shop: ShopSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = RateLimit(1)
    monkeypatch.setattr(shopify_privacy, "_wrong", lambda: slow)
    answers = [call("customers/redact", REDACT, secret="guessed").status for _ in range(12)]
    assert answers[0] == 401
    assert answers[-1] == 429


def test_the_command_keeps_the_secret_sealed(
    fresh_dsn: str, context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"DATABASE_URL": fresh_dsn, "HASH_KEY": context.hash_key, "VAULT_KEY": b"v" * 32}.items():
        monkeypatch.setattr(settings, name, value)
    with connect(fresh_dsn) as link:
        shop, other = make_shop(link), make_shop(link)

    def run(slug: str, typed: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        words = ["shopify", slug, "--domain", DOMAIN.upper(), "--secret-stdin"]
        return command.run(parser_of("shop").parse_args(words))

    assert run(shop.slug, f"{SECRET}\n") == 0
    with connect(fresh_dsn) as link:
        found = platform_of_domain(link, KIND, DOMAIN)
    assert found is not None
    assert (found[0], SECRET.encode() in found[1]) == (shop.id, False)
    for slug, typed in ((other.slug, SECRET), (shop.slug, ""), ("nobody", SECRET)):
        with pytest.raises(OperatorError):
            run(slug, typed)
