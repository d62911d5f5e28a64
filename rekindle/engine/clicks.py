"""Who followed which link of a message? Opens a token, and records what it was used for.

A token is compared with the stored hash in constant time; whatever is wrong with it, the answer is the same None. No
link ever signs anybody in: all it opens is what is in the cart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from rekindle.lib.ids import epoch_ms, timed_bytes_at, timed_id
from rekindle.lib.tokens import Purpose, read_short_token, read_token, same_hash
from rekindle.policy.cart_draft import BOUGHT
from rekindle.store.binary_copy import EPOCH, US
from rekindle.store.database import Connection
from rekindle.store.links import (
    CartBehindLink,
    LinkedSend,
    LinkUse,
    SendBehindLink,
    cart_behind_link,
    linked_sends,
    record_link_event,
    record_link_uses,
    send_behind_link,
    send_behind_short_link,
)
from rekindle.terms.send import SendEventKind

#: A letter older than this no longer leads to its cart; the way out (unsubscribe) never closes.
LINK_LIFE = timedelta(days=60)

_NO_SECRET = bytes(32)


class Goal(NamedTuple):
    """What decides where a good link leads: the cart as far as it still exists, and what the message was made with.

    ``context`` may be JSON that nobody has read yet.
    """

    is_bought: bool
    is_visit: bool  #: it is about a visit that put nothing into a cart
    recover_url: str | None
    context: Mapping[str, Any] | bytes | None

    @property
    def told(self) -> Mapping[str, Any]:
        return msgspec.json.decode(self.context) if isinstance(self.context, bytes) else self.context or {}


@dataclass(frozen=True, slots=True)
class CartLink:
    """A recovery or product link that is good: its send, and the cart as far as it still exists."""

    send: SendBehindLink
    cart: CartBehindLink | None

    @property
    def is_bought(self) -> bool:
        return self.cart is not None and self.cart.state in BOUGHT

    @property
    def goal(self) -> Goal:
        cart = None if self.cart is None else (self.cart.cart_key, self.cart.state, self.cart.recover_url)
        return _goal(cart, self.send.context)


class Asked(NamedTuple):
    """A link that waits to be opened: the parts of its token. ``needs_context``: where it leads the message says."""

    bucket: int
    send_id: bytes
    secret_hash: bytes
    needs_context: bool


class Opened(NamedTuple):
    """A link that is good."""

    send: LinkedSend
    goal: Goal


def open_cart_link(connection: Connection, token: str, *, now: datetime) -> CartLink | None:
    """The send and cart behind a recovery or product link; None for every token that is not good any more."""
    send = _open(connection, token, Purpose.LINK)
    if send is None or now - send.created_at > LINK_LIFE:
        return None
    return CartLink(send, cart_behind_link(connection, send.cart_bucket, send.cart_id))


def open_cart_links(
    connection: Connection, bucket: int, asked: Sequence[Asked], *, now: datetime
) -> list[Opened | None]:
    """`open_cart_link` for many tokens of one bucket at once, in their order."""
    full = {one.send_id for one in asked if one.needs_context}
    sends = linked_sends(connection, bucket, {one.send_id for one in asked}, full)
    oldest_us = (now - LINK_LIFE - EPOCH) // US
    opened: list[Opened | None] = []
    for one in asked:
        send = sends.get(one.send_id)
        is_good = same_hash(_NO_SECRET if send is None else send.link_hash, one.secret_hash)
        if send is None or not is_good or send.created_us < oldest_us:
            opened.append(None)
        else:
            opened.append(Opened(send, _goal(send.cart, send.context)))
    return opened


def open_optout_link(connection: Connection, token: str) -> SendBehindLink | None:
    """The send whose unsubscribe link this is; good as long as the send is remembered."""
    return _open(connection, token, Purpose.OPTOUT)


def record_use(
    connection: Connection, send: SendBehindLink, kind: SendEventKind, *, at: datetime, detail: dict[str, object]
) -> bool:
    """Record a click, a restored cart or an opt-out of a send; a repetition within the second counts once.

    Commits on its own unless the caller holds a transaction. Returns whether it was new.
    """
    seed = _use_seed(send.id.bytes, kind.value, str(detail.get("link", "")))
    event_id = timed_id(at.replace(microsecond=0), seed)
    return record_link_event(connection, send, event_id=event_id, kind=kind.value, at=at, detail=detail)


def record_clicks(
    connection: Connection, bucket: int, clicks: Iterable[tuple[LinkedSend, str, bytes]], *, at: datetime
) -> None:
    """`record_use` of many followed links of one bucket at once: the send, the link's name, the detail as JSON."""
    second_ms, kind = epoch_ms(at.replace(microsecond=0)), SendEventKind.CLICKED.value
    uses: dict[bytes, LinkUse] = {}
    for send, link, detail in clicks:
        use_id = timed_bytes_at(second_ms, _use_seed(send.id, kind, link))
        uses[use_id] = LinkUse(use_id, send.shop_id, send.id, send.shopper_id, detail)
    record_link_uses(connection, bucket, list(uses.values()), kind=kind, at=at)


def _use_seed(send_id: bytes, kind: str, link: str) -> bytes:
    """The same within a second: a repetition counts once."""
    return b"%s:%s:%s" % (send_id, kind.encode(), link.encode())


def _goal(cart: tuple[str, str, str | None] | None, context: Mapping[str, Any] | bytes | None) -> Goal:
    if cart is None:
        return Goal(False, False, None, context)
    cart_key, state, recover_url = cart
    return Goal(state in BOUGHT, cart_key.startswith("browse:"), recover_url, context)


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
