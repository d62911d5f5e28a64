"""How does a shopper choose what comes, how often, and about what? By the link of a message, at once.

Whoever has the link may narrow, never widen: a channel that is off stays off here, because a forwarded link is no
consent. The shop's own form gives a new one. The one yes that is taken here is that clicks may be noted: it is asked
for by a box that is not ticked beforehand, and lets nothing be sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from rekindle.engine.context import Context
from rekindle.engine.opt_out import opt_out
from rekindle.engine.places import Place
from rekindle.engine.tracking import Answer, answer_tracking, clicking_of
from rekindle.engine.transactions import Work
from rekindle.engine.withdraw import withdraw_for_carts
from rekindle.engine.write_carts import LeftCart
from rekindle.store import preferences as store
from rekindle.store.database import Connection
from rekindle.store.links import SendBehindLink
from rekindle.store.shoppers import hold_shoppers
from rekindle.terms.preferences import MOST_DECLINED, Preferences, Topic, parse_preferences
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

SOURCE: Final = "preference page"
PAUSE: Final = timedelta(days=30)
SELDOM: Final = 1  #: messages within seven days


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is on now. ``channels``: those with an address, and whether each may still be written to.

    ``asks_clicks``: whether there is something to ask about links that are followed.
    """

    preferences: Preferences
    channels: dict[Channel, bool]
    asks_clicks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a shopper asked for. ``off``: channels to end; ``pause``: True begins one, False ends it, None leaves it.

    ``clicks``: may it be noted which links are followed? None: nothing new is said. ``wording``: the text of that box.
    """

    off: Sequence[Channel] = ()
    decline_cart: bool = False
    seldom: bool = False
    pause: bool | None = None
    topics_off: Sequence[Topic] = ()
    channel: Channel | None = None
    locale: str = ""
    clicks: bool | None = None
    wording: str = ""


def chosen_by(connection: Connection, shop: ShopSettings, send: SendBehindLink) -> Chosen | None:
    """None when there is nobody behind the link any more."""
    stored = store.load_preferences(connection, send.bucket, send.shopper_id)
    if stored is None:
        return None
    channels = store.channels_of_shopper(connection, send.bucket, send.shopper_id)
    clicking = clicking_of(connection, shop, send)
    return Chosen(
        preferences=parse_preferences(stored),
        asks_clicks=clicking.needs_consent or clicking.answer is not None,
        channels={channel: channels[channel.value] for channel in Channel if channel.value in channels},
    )


def prefer(connection: Connection, context: Context, shop: ShopSettings, send: SendBehindLink, wanted: Wanted) -> int:
    """Let it hold; commits. Returns how many waiting messages were cancelled by it."""
    now = context.clock.now()
    cancelled = 0
    if wanted.off:
        cancelled += opt_out(
            connection,
            context,
            shop,
            bucket=send.bucket,
            shopper_id=send.shopper_id,
            channels=list(wanted.off),
            source=SOURCE,
            at=now,
        ).cancelled_count
    work = Work(connection, shop)

    def choose() -> int:
        if not hold_shoppers(connection, send.bucket, [send.shopper_id]):
            return 0
        stored = store.load_preferences(connection, send.bucket, send.shopper_id)
        if stored is None:
            return 0
        after = _after(parse_preferences(stored), wanted, send, now)
        store.store_preferences(connection, send.bucket, send.shopper_id, after)
        return 0

    def run() -> int:
        work.run_in_bucket(send.bucket, choose)
        if wanted.clicks is not None:
            said = Answer(wanted.clicks, wanted.wording, SOURCE, {"method": "checkbox"}, now)
            answer_tracking(work, context, shop, Place(send.bucket, send.shopper_id), said)
        if not wanted.decline_cart:
            return 0
        left = LeftCart(
            Place(send.cart_bucket, send.cart_id), Place(send.bucket, send.shopper_id), reason=Reason.DECLINED
        )
        return withdraw_for_carts(work, shop, [left], now)

    return cancelled + work.run_whole(run)


def _after(held: Preferences, wanted: Wanted, send: SendBehindLink, now: datetime) -> Preferences:
    paused = held.paused_until if held.paused_until is not None and held.paused_until > now else None
    if wanted.pause is not None:
        paused = (paused or now + PAUSE) if wanted.pause else None
    declined = tuple(one for one in held.declined if one != send.cart_id)
    if wanted.decline_cart:
        declined = (*declined, send.cart_id)[-MOST_DECLINED:]
    return replace(
        held,
        paused_until=paused,
        per_week=SELDOM if wanted.seldom else None,
        off=tuple(sorted(set(wanted.topics_off))),
        channel=wanted.channel,
        locale=wanted.locale or held.locale,
        declined=declined,
    )
