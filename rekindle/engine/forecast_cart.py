"""May we write about this very cart now, and if not, when? The facts of a real shopper for `engine.forecast`."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from rekindle.engine.facts import identity_of, topic_of
from rekindle.engine.forecast import Forecast, forecast
from rekindle.engine.law import laws
from rekindle.lib.addresses import is_role_account
from rekindle.store import forecast as read
from rekindle.store.dashboard.cart import CartPage, EnrolmentLine
from rekindle.store.database import Connection
from rekindle.store.forecast import ContactNow, Whereabouts
from rekindle.terms.cart import BEFORE_CHECKOUT, CartState
from rekindle.terms.consent import ConsentKind, ConsentMarks, ConsentState
from rekindle.terms.preferences import parse_preferences
from rekindle.terms.send import Arm, Channel, EnrolmentState
from rekindle.terms.send_facts import (
    CartFacts,
    ContactFacts,
    EnrolmentFacts,
    PriorSend,
    RouteFacts,
    SendFacts,
    ShopperFacts,
)
from rekindle.terms.shop import ShopSettings

_NO_RUN = UUID(int=0)


def forecast_cart(
    connection: Connection, shop: ShopSettings, cart: CartPage, run: EnrolmentLine | None, now: datetime
) -> list[Forecast]:
    """One forecast per channel on which an address is known; empty where nobody is known for the cart.

    ``run``: its newest run through a flow. A cart that is still open is asked about as if it had been left at its last
    activity, a cart without a run as if its shopper were treated.
    """
    if cart.shopper_id is None or cart.shopper_bucket is None:
        return []
    shopper = read.whereabouts(connection, cart.shopper_bucket, shop.id, cart.shopper_id)
    if shopper is None:
        return []
    contacts = read.best_contacts(connection, cart.shopper_bucket, shop.id, cart.shopper_id)
    enrolment = _enrolment(cart, run)
    since = now - timedelta(days=max(8, shop.max_cart_age_days + 2))
    history = tuple(
        PriorSend(
            channel=Channel(row.channel),
            cart_id=row.cart_id,
            enrolment_id=row.enrolment_id,
            planned_at=row.planned_at,
            at=row.at,
        )
        for row in read.messages_since(connection, cart.shopper_bucket, cart.shopper_id, since)
    )
    made = []
    for channel in Channel:
        contact = contacts.get(channel.value)
        if contact is None:
            continue
        phone = contact.address if channel is Channel.SMS else None
        law = laws().of(shop, channel, country=shopper.country, state=shopper.region, phone=phone)
        facts = SendFacts(
            now=now,
            channel=channel,
            cart_id=cart.id,
            enrolment_id=run.id if run else _NO_RUN,
            planned_at=now,
            limits=law.limits,
            rules=law.rules,
            max_cart_age_days=shop.max_cart_age_days,
            cart=_cart(cart, enrolment.abandoned_at),
            enrolment=enrolment,
            shopper=_shopper(shopper, shop),
            contact=ContactFacts(has_address=True, is_role=_is_role(channel, contact), consent=_consent(contact)),
            suppressed=contact.suppressed,
            history=history,
            missing=(),
            identity=identity_of(shop),
            route=RouteFacts(exists=not shop.sending_paused, why="sending is paused" if shop.sending_paused else ""),
        )
        made.append(forecast(facts, law))
    return made


def _cart(cart: CartPage, left_at: datetime) -> CartFacts:
    is_open = cart.state == CartState.OPEN.value
    return CartFacts(
        state=CartState.ABANDONED if is_open else CartState(cart.state),
        touched_at=min(cart.touched_at, left_at) if is_open else cart.touched_at,
        ordered=cart.order_key is not None,
        has_checkout=cart.stage not in BEFORE_CHECKOUT,
        topic=topic_of(cart.stage),
    )


def _enrolment(cart: CartPage, run: EnrolmentLine | None) -> EnrolmentFacts:
    if run is None:
        left_at = cart.abandoned_at or cart.touched_at
        return EnrolmentFacts(state=EnrolmentState.WAITING, arm=Arm.TREATED, abandoned_at=left_at)
    return EnrolmentFacts(
        state=EnrolmentState(run.state),
        arm=Arm(run.arm),
        abandoned_at=run.abandoned_at,
        exit_reason=run.exit_reason,
    )


def _shopper(shopper: Whereabouts, shop: ShopSettings) -> ShopperFacts:
    return ShopperFacts(
        last_order_at=shopper.last_order_at,
        opted_out_at=shopper.opted_out_at,
        erased_at=shopper.erased_at,
        preferences=parse_preferences(shopper.preferences),
        zones=tuple(dict.fromkeys([*(shopper.timezones or ()), shop.timezone])),
    )


def _is_role(channel: Channel, contact: ContactNow) -> bool:
    return channel is Channel.EMAIL and is_role_account(contact.address)


def _consent(contact: ContactNow) -> ConsentState | None:
    if contact.consent is None or contact.consent_at is None:
        return None
    marks = ConsentMarks(contact.consent_confirmed, contact.consent_written, contact.consent_names_carts)
    wording = contact.consent_wording or ""
    return ConsentState(kind=ConsentKind(contact.consent), at=contact.consent_at, wording=wording, marks=marks)
