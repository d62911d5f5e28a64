"""Who followed which link of a message? Opens a token, and records what it was used for.

A token is compared with the stored hash in constant time; whatever is wrong with it, the answer is the same None. No
link ever signs anybody in: all it opens is what is in the cart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from rekindle.lib.ids import timed_id
from rekindle.lib.tokens import Purpose, TokenParts, read_short_token, read_token, same_hash
from rekindle.policy.cart_draft import BOUGHT
from rekindle.store.database import Connection
from rekindle.store.links import (
    CartBehindLink,
    LinkEvent,
    SendBehindLink,
    cart_behind_link,
    carts_behind_links,
    record_link_event,
    record_link_events,
    send_behind_link,
    send_behind_short_link,
    sends_behind_links,
)
from rekindle.terms.cart import CartState
from rekindle.terms.send import SendEventKind

#: A letter older than this no longer leads to its cart; the way out (unsubscribe) never closes.
LINK_LIFE = timedelta(days=60)

_NO_SECRET = bytes(32)


@dataclass(frozen=True, slots=True)
class CartLink:
    """A recovery or product link that is good: its send, and the cart as far as it still exists."""

    send: SendBehindLink
    cart: CartBehindLink | None

    @property
    def is_bought(self) -> bool:
        return self.cart is not None and CartState(self.cart.state) in BOUGHT

    @property
    def is_visit(self) -> bool:
        """Whether it is about a visit that put nothing into a cart."""
        return self.cart is not None and self.cart.cart_key.startswith("browse:")


def open_cart_link(connection: Connection, token: str, *, now: datetime) -> CartLink | None:
    """The send and cart behind a recovery or product link; None for every token that is not good any more."""
    send = _open(connection, token, Purpose.LINK)
    if send is None or now - send.created_at > LINK_LIFE:
        return None
    return CartLink(send, cart_behind_link(connection, send.cart_bucket, send.cart_id))


def open_cart_links(
    connection: Connection, asked: Sequence[TokenParts | None], *, now: datetime
) -> list[CartLink | None]:
    """`open_cart_link` for many tokens at once, in their order; of the carts only where they lead back to."""
    ids: dict[int, set[UUID]] = defaultdict(set)
    for parts in asked:
        if parts is not None:
            ids[parts.bucket].add(parts.send_id)
    sends = {bucket: sends_behind_links(connection, bucket, wanted) for bucket, wanted in ids.items()}
    good: list[SendBehindLink | None] = []
    cart_ids: dict[int, set[UUID]] = defaultdict(set)
    for parts in asked:
        send = sends[parts.bucket].get(parts.send_id) if parts is not None else None
        stored = send.link_hash if send is not None else _NO_SECRET
        is_good = parts is not None and same_hash(stored, parts.secret_hash)
        if send is None or not is_good or now - send.created_at > LINK_LIFE:
            good.append(None)
            continue
        good.append(send)
        cart_ids[send.cart_bucket].add(send.cart_id)
    carts = {bucket: carts_behind_links(connection, bucket, wanted) for bucket, wanted in cart_ids.items()}
    return [CartLink(send, carts[send.cart_bucket].get(send.cart_id)) if send else None for send in good]


def open_optout_link(connection: Connection, token: str) -> SendBehindLink | None:
    """The send whose unsubscribe link this is; good as long as the send is remembered."""
    return _open(connection, token, Purpose.OPTOUT)


def record_use(
    connection: Connection, send: SendBehindLink, kind: SendEventKind, *, at: datetime, detail: dict[str, object]
) -> bool:
    """Record a click, a restored cart or an opt-out of a send; a repetition within the second counts once.

    Commits on its own unless the caller holds a transaction. Returns whether it was new.
    """
    event_id = _use_id(send, kind, at, detail)
    return record_link_event(connection, send, event_id=event_id, kind=kind.value, at=at, detail=detail)


def record_clicks(
    connection: Connection, clicks: Iterable[tuple[SendBehindLink, dict[str, object]]], *, at: datetime
) -> None:
    """`record_use` of many followed links at once."""
    rows: dict[int, dict[UUID, LinkEvent]] = defaultdict(dict)
    for send, detail in clicks:
        event = LinkEvent(
            id=_use_id(send, SendEventKind.CLICKED, at, detail),
            shop_id=send.shop_id,
            send_id=send.id,
            shopper_id=send.shopper_id,
            kind=SendEventKind.CLICKED.value,
            at=at,
            detail=detail,
        )
        rows[send.bucket][event.id] = event
    for bucket, events in sorted(rows.items()):
        record_link_events(connection, bucket, list(events.values()))


def _use_id(send: SendBehindLink, kind: SendEventKind, at: datetime, detail: dict[str, object]) -> UUID:
    """The same within a second: a repetition counts once."""
    return timed_id(at.replace(microsecond=0), f"{send.id}:{kind.value}:{detail.get('link', '')}".encode())


def _open(connection: Connection, token: str, purpose: Purpose) -> SendBehindLink | None:
    short = read_short_token(token) if purpose is Purpose.LINK else None
    if short is not None:
        return send_behind_short_link(connection, *short)  # found by a hash of 128 random bits
    parts = read_token(token)
    if parts is None:
        return None
    send = send_behind_link(connection, parts.bucket, parts.send_id)
    stored = _NO_SECRET if send is None else send.link_hash if purpose is Purpose.LINK else send.optout_hash
    return send if same_hash(stored, parts.secret_hash) else None
