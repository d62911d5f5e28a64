"""Explain a cart: its state, what happened to it, and every decision with its reason.

CART is the shop's own cart id or Rekindle's. Addresses are masked.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from rekindle.lib.operator_error import OperatorError

if TYPE_CHECKING:
    from rekindle.store.dashboard.cart import CartPage, DecisionLine
    from rekindle.store.database import Connection
    from rekindle.terms.shop import ShopSettings

HELP = "print a cart's story and every decision with its reason"

Line = tuple[datetime, str]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cart", metavar="CART", help="the shop's cart id, or Rekindle's")
    parser.add_argument("--shop", metavar="SLUG", help="which shop (needed when there are several)")


def run(args: argparse.Namespace) -> int:
    from django.conf import settings

    from rekindle.store.database import connect

    with connect(settings.DATABASE_URL) as connection:
        shop = _shop(connection, args.shop)
        cart = _cart(connection, shop, args.cart)
        if cart is None:
            raise OperatorError(f"the shop {shop.slug} has no cart {args.cart}.", "Give its id as the shop told it.")
        for line in story(connection, shop, cart):
            print(line)
    return 0


def story(connection: Connection, shop: ShopSettings, cart: CartPage) -> Iterator[str]:
    """The lines that are printed: the cart, the shopper, then everything in order of time."""
    from rekindle.lib.money import to_major

    amount = f"{to_major(cart.total_cents, cart.currency)} {cart.currency}" if cart.currency else "no prices told"
    yield f"Cart {cart.cart_key} ({cart.id}) of {shop.slug}"
    yield f"  {cart.state}, got as far as {cart.stage}; {len(cart.items)} lines, {amount}"
    yield f"  {_shopper(connection, shop, cart)}"
    if cart.check_at is not None:
        yield f"  looked at next: {_when(cart.check_at)}"
    yield ""
    for at, text in sorted(_lines(connection, shop, cart), key=lambda line: line[0]):
        yield f"{_when(at)}  {text}"


def _lines(connection: Connection, shop: ShopSettings, cart: CartPage) -> Iterator[Line]:
    from rekindle.store.buckets import buckets_of
    from rekindle.store.dashboard.cart import load_decisions, load_enrolments, load_events, load_order, load_sends
    from rekindle.terms.attribution import LAST_CLICK

    buckets = buckets_of(shop)
    for event in load_events(connection, cart):
        yield event.at, f"event      {event.name}"
    for enrolment in load_enrolments(connection, cart, buckets):
        yield enrolment.entered_at, f"flow       entered ({enrolment.arm})"
        if enrolment.ended_at is not None:
            yield enrolment.ended_at, f"flow       {enrolment.state}: {enrolment.exit_reason or 'all steps taken'}"
    for send in load_sends(connection, cart, buckets):
        yield send.planned_at, f"send       step {send.step} by {send.channel} was due"
    if cart.order_key is not None:
        order = load_order(connection, shop, cart.order_key, rule=LAST_CLICK)
        if order is not None:
            credit = "credited to a click" if order.send_id is not None else "credited to no send"
            yield order.ordered_at, f"order      {order.order_key}, found by {order.matched_by}, {credit}"
    for decision in load_decisions(connection, cart, buckets):
        yield decision.at, _decision(decision)


def _decision(decision: DecisionLine) -> str:
    from rekindle.terms.reasons import Reason

    known = Reason._value2member_map_.get(decision.reason)
    sentence = known.sentence if isinstance(known, Reason) else ""
    again = f" Asked again {_when(decision.retry_at)}." if decision.retry_at is not None else ""
    step = f" step {decision.step}" if decision.step else ""
    facts = ", ".join(f"{name}={value}" for name, value in decision.evidence.items())
    head = f"decision   {decision.question}{step}: {decision.outcome} {decision.reason}. {sentence}{again}"
    return f"{head}\n{' ' * 34}[{facts}]" if facts else head


def _shopper(connection: Connection, shop: ShopSettings, cart: CartPage) -> str:
    from rekindle.lib.addresses import masked
    from rekindle.store.dashboard.cart import load_contacts, load_shopper

    if cart.shopper_id is None or cart.shopper_bucket is None:
        return "nobody is known for this cart"
    shopper = load_shopper(connection, bucket=cart.shopper_bucket, shop_id=shop.id, shopper_id=cart.shopper_id)
    if shopper is None:
        return "its shopper is gone"
    contacts = load_contacts(connection, shopper, shop_id=shop.id)
    told = [f"{c.channel} {masked(c.address) if c.address else '(erased)'}: {_consent(c)}" for c in contacts]
    return "shopper: " + ("; ".join(told) or "no address")


def _consent(contact: Any) -> str:
    if contact.suppressed_for:
        return f"suppressed ({contact.suppressed_for})"
    return contact.consent or "no consent known"


def _when(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def _shop(connection: Connection, slug: str | None) -> ShopSettings:
    from rekindle.store.shops import all_shops, shop_by_slug

    if slug is not None:
        found = shop_by_slug(connection, slug)
        if found is None:
            raise OperatorError(f"there is no shop {slug}.")
        return found
    shops = all_shops(connection)
    if len(shops) != 1:
        names = ", ".join(shop.slug for shop in shops) or "none"
        raise OperatorError("say which shop with --shop.", f"There are: {names}.")
    return shops[0]


def _cart(connection: Connection, shop: ShopSettings, told: str) -> CartPage | None:
    from rekindle.lib.ids import natural_id
    from rekindle.store.buckets import buckets_of, cart_bucket, visitor_bucket
    from rekindle.store.dashboard.cart import load_cart

    home = cart_bucket(shop, told)
    if told.startswith("browse:"):
        home = visitor_bucket(shop, told.removeprefix("browse:"))
    found = load_cart(connection, bucket=home, shop_id=shop.id, cart_id=natural_id("cart", shop.id, told))
    if found is not None:
        return found
    try:
        cart_id = UUID(told)
    except ValueError:
        return None
    for bucket in buckets_of(shop):
        found = load_cart(connection, bucket=bucket, shop_id=shop.id, cart_id=cart_id)
        if found is not None:
            return found
    return None
