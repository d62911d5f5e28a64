"""Do both ways to add a cart or a visitor leave the same rows?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from rekindle.policy.cart_draft import CartDraft
from rekindle.store.carts import add_carts, load_carts, write_carts
from rekindle.store.database import Connection, connect
from rekindle.store.visitors import VisitorNews, add_visitors, copy_visitors, load_visitors
from rekindle.terms.cart import CartState, Stage

BUCKET = 78
AT = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def link(session_dsn: str) -> Iterator[Connection]:
    with connect(session_dsn) as connection:
        yield connection
        connection.execute("DELETE FROM carts WHERE bucket = %s", [BUCKET])
        connection.execute("DELETE FROM visitors WHERE bucket = %s", [BUCKET])


def _bare(cart_id: UUID) -> CartDraft:
    draft = CartDraft(BUCKET, cart_id, 1, "c\t\\1ü", AT)
    draft.is_changed = True
    return draft


def _full(cart_id: UUID) -> CartDraft:
    draft = _bare(cart_id)
    draft.state, draft.stage = CartState.EMPTIED, Stage.PAYMENT
    draft.items = [{"product_key": 'p"1', "quantity": 2, "title": "Häuser", "changed_ms": 5}]
    draft.currency, draft.total_cents = "EUR", 9_000_000_000
    draft.touched_at, draft.check_at = AT + timedelta(seconds=1), AT + timedelta(hours=1)
    draft.abandoned_at = draft.snapshot_at = draft.closed_at = AT - timedelta(days=9_000)
    draft.visitor_key, draft.shopper_bucket, draft.shopper_id = "a:1", 7, uuid4()
    draft.order_key, draft.checkout_key, draft.recover_url = "o1", "k1", "https://shop.example/?a=1"
    draft.views, draft.facts = ["p1", "p2"], {"hour": 3, "gone": {"x": [1, 2]}}
    return draft


def _some(cart_id: UUID) -> CartDraft:
    draft = _bare(cart_id)
    draft.snapshot_at, draft.checkout_key = AT, "k2"
    return draft


def _values(draft: CartDraft) -> dict[str, object]:
    return {name: getattr(draft, name) for name in CartDraft.__slots__ if name not in ("id", "is_new", "is_begun")}


@pytest.mark.parametrize("make", [_bare, _some, _full])
def test_a_cart_added_by_copy_is_the_cart_added_by_upsert(link: Connection, make: type) -> None:
    copied, written = make(uuid4()), make(uuid4())
    written.shopper_id = copied.shopper_id
    add_carts(link, BUCKET, [copied], now=AT)
    assert write_carts(link, BUCKET, [written], now=AT) == []
    assert (copied.seq, copied.is_new, copied.is_changed) == (1, False, False)
    found = {draft.id: _values(draft) for draft in load_carts(link, BUCKET, [copied.id, written.id])}
    assert found[copied.id] == found[written.id]
    expected = _values(copied) | {"gained_shopper": False}
    assert found[copied.id] == expected


def test_a_cart_that_is_there_already_is_not_added(link: Connection) -> None:
    known = _bare(uuid4())
    add_carts(link, BUCKET, [known], now=AT)
    again, other = _bare(known.id), _bare(uuid4())
    with pytest.raises(psycopg.errors.UniqueViolation):
        add_carts(link, BUCKET, [again, other], now=AT)
    assert [draft.id for draft in load_carts(link, BUCKET, [known.id, other.id])] == [known.id]
    assert other.is_new
    assert other.is_changed


def test_a_visitor_added_by_copy_is_the_visitor_added_by_insert(link: Connection) -> None:
    def news(**fields: object) -> VisitorNews:
        base = {"bucket": BUCKET, "id": uuid4(), "shop_id": 1, "visitor_key": "a:ü", "first_seen_at": AT, "seen_at": AT}
        return VisitorNews(**base | fields)  # type: ignore[arg-type]

    person = {"shopper_bucket": 3, "shopper_id": uuid4(), "cart_bucket": 4, "cart_id": uuid4()}
    for fields in ({}, {"facts": {"cart_ms": 1, "~k:1": 1}, "seen_at": AT + timedelta(1)}, person):
        copied, inserted = news(**fields), news(**fields)
        copy_visitors(link, BUCKET, [copied])
        assert add_visitors(link, BUCKET, [inserted]) == {inserted.id}
        one, other = sorted(load_visitors(link, BUCKET, [copied.id, inserted.id]), key=lambda row: row.id != copied.id)
        other.id = one.id
        assert one == other
        with pytest.raises(psycopg.errors.UniqueViolation):
            copy_visitors(link, BUCKET, [copied])
