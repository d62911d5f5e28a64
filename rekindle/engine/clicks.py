"""Who followed which link of a message? Opens a token, and records what it was used for.

A token is compared with the stored hash in constant time; whatever is wrong with it, the answer is the same None. No
link ever signs anybody in: all it opens is what is in the cart.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rekindle.lib.ids import timed_id
from rekindle.lib.tokens import Purpose, read_short_token, read_token, same_hash
from rekindle.policy.cart_draft import BOUGHT
from rekindle.store.database import Connection
from rekindle.store.links import (
    CartBehindLink,
    SendBehindLink,
    cart_behind_link,
    record_link_event,
    send_behind_link,
    send_behind_short_link,
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


def open_optout_link(connection: Connection, token: str) -> SendBehindLink | None:
    """The send whose unsubscribe link this is; good as long as the send is remembered."""
    return _open(connection, token, Purpose.OPTOUT)


def record_use(
    connection: Connection, send: SendBehindLink, kind: SendEventKind, *, at: datetime, detail: dict[str, object]
) -> bool:
    """Record a click, a restored cart or an opt-out of a send; a repetition within the second counts once.

    Commits on its own unless the caller holds a transaction. Returns whether it was new.
    """
    second = at.replace(microsecond=0)
    seed = f"{send.id}:{kind.value}:{detail.get('link', '')}".encode()
    return record_link_event(connection, send, event_id=timed_id(second, seed), kind=kind.value, at=at, detail=detail)


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
