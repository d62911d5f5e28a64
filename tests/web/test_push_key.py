"""The key that a shop's pages subscribe with, and the worker that shows the messages."""

from __future__ import annotations

import msgspec
import pytest

from rekindle.engine.context import Context
from rekindle.engine.make_provider import sealed_values
from rekindle.engine.route import secret_owner
from rekindle.lib.vault import seal
from rekindle.providers.push.vapid import make_private_key, public_key_of
from rekindle.store.database import Connection
from rekindle.store.provider_accounts import insert_account
from rekindle.web.http import Answer, Request
from rekindle.web.public import push_key as page
from rekindle.web.public.script import push_worker
from rekindle.web.routes import handler_for
from tests.factories import make_shop

from .sent import use

KEY = make_private_key()


@pytest.fixture(autouse=True)
def _nothing_remembered(connection: Connection, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, connection, context)
    page._known.cache_clear()


def get(path: str, method: str = "GET") -> Answer:
    handler = handler_for(path)
    assert handler is not None
    return handler(Request(method=method, path=path))


def add_account(connection: Connection, context: Context, shop_id: int, kind: str = "web_push", key: str = KEY) -> None:
    secret = seal(context.vault_key, sealed_values({"vapid_private_key": key}), secret_owner(shop_id))
    options: dict[str, object] = {"subject": "mailto:shop@example.com"}
    insert_account(connection, shop_id=shop_id, channel="push", kind=kind, name="Push", options=options, secret=secret)


def test_a_shops_page_is_told_the_public_key_only(connection: Connection, context: Context) -> None:
    shop = make_shop(connection)
    add_account(connection, context, shop.id, "fcm")
    add_account(connection, context, shop.id)
    ((write_key,),) = connection.execute("SELECT write_key FROM shops WHERE id = %s", [shop.id]).fetchall()
    answer = get(f"/s/push/{write_key}")
    assert answer.status == 200
    assert msgspec.json.decode(answer.body) == {"public_key": public_key_of(KEY)}
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert KEY.encode() not in answer.body


def test_without_an_account_there_is_no_key(connection: Connection, context: Context) -> None:
    shop = make_shop(connection)
    ((write_key,),) = connection.execute("SELECT write_key FROM shops WHERE id = %s", [shop.id]).fetchall()
    assert get(f"/s/push/{write_key}").status == 404
    page._known.cache_clear()
    add_account(connection, context, shop.id, key="broken")
    assert get(f"/s/push/{write_key}").status == 404


@pytest.mark.parametrize("key", ["", "nobody", "a\0b", "x" * 300])
def test_strangers_get_nothing(key: str) -> None:
    assert get(f"/s/push/{key}").status == 404


def test_only_reading(connection: Connection) -> None:
    assert get("/s/push/x", "POST").status == 405
    assert get("/s/push/x", "OPTIONS").status == 204


def test_the_worker_may_be_imported_by_any_shop() -> None:
    answer = push_worker(Request(method="GET", path="/s/push-worker.js"))
    if answer.status == 404:
        pytest.skip("the front end is not built: make setup")
    assert answer.content_type.startswith("text/javascript")
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert b"showNotification" in answer.body
    assert b"import" not in answer.body.split(b"(")[0]
