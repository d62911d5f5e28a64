"""What is fixed about a message when its step is taken? Channel, address, template, links, locale.

The part of `advance` that turns "write now" into a send. Links are numbered by their place in ``context["links"]``:
first the cart's lines in their order, then the recommendations, whose facts lie in ``context["recommended"]``. A visit
that only looked has no lines; what it looked at lies in ``context["viewed"]``, as lines of one piece each. Where to
turn when the channel fails lies in ``context["otherwise"]``: channel, address and template of each, best first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rekindle.engine.books import Books
from rekindle.engine.law import laws
from rekindle.lib.ids import epoch_ms, timed_hex
from rekindle.policy.channel_choice import Known, NoBasis, choose_channel
from rekindle.policy.lawful_basis import Past, Refused, lawful_basis
from rekindle.policy.next_step import Due
from rekindle.stats.recommendation import Seeds, cart_seeds, view_seeds
from rekindle.store.advance import CartToWriteAbout, DueEnrolment, NewSend, ShopperToWriteTo
from rekindle.store.database import Connection
from rekindle.store.products import ShownProduct
from rekindle.terms.cart import BEFORE_CHECKOUT, Stage
from rekindle.terms.consent import ConsentState
from rekindle.terms.decision import Verdict, deny
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

MAX_LINKS = 20  #: lines of a cart that a message shows
MAX_VIEWED = 6  #: products of a visit that a message shows


class Wish(NamedTuple):
    """A message that a flow wants now. ``number``: its place among the flow's messages, from 1."""

    run: DueEnrolment
    due: Due
    number: int
    shop: ShopSettings
    cart: CartToWriteAbout
    shopper: ShopperToWriteTo | None


class Plan(NamedTuple):
    """What becomes of a wish: a send, or why there is none. ``evidence``: how its channel was chosen."""

    wish: Wish
    send: NewSend | None
    verdict: Verdict | None
    evidence: Mapping[str, object] = {}


def plan_sends(connection: Connection, books: Books, wishes: Sequence[Wish], known: Mapping[str, Known]) -> list[Plan]:
    """Plan the messages of a batch. A message that cannot be planned is refused; its flow goes on.

    ``known``: how each shopper of the batch can be reached.
    """
    recommended = _recommended(connection, books, wishes)
    plans = []
    for wish, products in zip(wishes, recommended, strict=True):
        viewed = _viewed(connection, books, wish)
        nobody = Known(())
        plans.append(_plan(books, wish, known.get(wish.run.shopper_id, nobody), _context(wish, products, viewed)))
    return plans


def _plan(books: Books, wish: Wish, known: Known, context: dict[str, object]) -> Plan:
    message, run = wish.due.step, wish.run
    versions: dict[Channel, int] = {}
    for channel in message.channels:
        template = books.template(run.shop_id, message.template_of(channel))
        if template is not None and template.channel == channel:
            versions[channel] = template.version_id
    if not versions:
        return Plan(wish, None, deny(Reason.CONTENT_MISSING, template=message.template))
    choice = choose_channel(tuple(versions), known, _law_for(wish), by_response=message.choose == "response")
    if choice is None:
        return Plan(wish, None, deny(Reason.NO_ADDRESS, channels=[channel.value for channel in message.channels]))
    (channel, reach), *otherwise = choice.ranked
    if otherwise:
        context["otherwise"] = [
            {
                "channel": other.value,
                "contact_point_id": place.contact_point_id,
                "template_version_id": versions[other],
            }
            for other, place in otherwise
        ]
    send = NewSend(
        id=_send_id(run, message.id, channel),
        run=run,
        step=message.id,
        channel=channel,
        contact_point_id=reach.contact_point_id,
        template_version_id=versions[channel],
        planned_at=wish.due.planned_at,
        context=context,
    )
    return Plan(wish, send, None, choice.evidence)


def _law_for(wish: Wish) -> NoBasis:
    """The law as it stands for this shopper and cart; may_send asks again when the message is due."""
    shopper, cart = wish.shopper, wish.cart
    past = Past(
        last_order_at=shopper.last_order_at if shopper else None,
        has_started_checkout=cart.stage not in BEFORE_CHECKOUT,
    )
    country, state = (shopper.country, shopper.region) if shopper else ("", "")

    def no_basis(channel: Channel, consent: ConsentState | None) -> Reason | None:
        rules = laws().of(wish.shop, channel, country=country, state=state).rules
        if rules is None:
            return Reason.EVALUATION_FAILED
        found = lawful_basis(rules, consent, past, wish.due.planned_at)
        return found.reason if isinstance(found, Refused) else None

    return no_basis


def _send_id(run: DueEnrolment, step: str, channel: Channel) -> str:
    return timed_hex(epoch_ms(run.entered_at), f"{run.id}:{step}:{channel}".encode())


def _context(wish: Wish, products: Sequence[ShownProduct], viewed: Sequence[dict[str, object]]) -> dict[str, object]:
    cart, shop = wish.cart, wish.shop
    elsewhere = cart.recover_url or shop.restore_url or shop.url
    lines: Sequence[Mapping[str, object]] = viewed or cart.items
    links = [_web_address(line.get("url")) or elsewhere for line in lines[:MAX_LINKS]]
    shopper_locale = wish.shopper.locale if wish.shopper else ""
    context = {
        "links": links + [product.url for product in products],
        "locale": shopper_locale or str(cart.facts.get("locale") or "") or shop.locale,
        "step_number": wish.number,
        "recommended": [_facts(product) for product in products],
    }
    return context | ({"viewed": list(viewed)} if viewed else {})


def _facts(product: ShownProduct) -> dict[str, object]:
    return {
        "product_key": product.product_key,
        "title": product.title,
        "url": product.url,
        "image_url": product.image_url,
        "unit_cents": product.unit_cents,
        "currency": product.currency,
    }


def _viewed(connection: Connection, books: Books, wish: Wish) -> list[dict[str, object]]:
    """What a visit looked at, as far as the catalogue can show it; nothing for carts."""
    if wish.cart.stage != Stage.BROWSE:
        return []
    products = books.shelf.look_up(connection, wish.shop, wish.cart.views[:MAX_VIEWED])
    currency = wish.cart.currency or wish.shop.currency
    return [{**_facts(product), "quantity": 1} for product in products if product.currency == currency]


def _web_address(value: object) -> str:
    """Only addresses of the web: a shop's event may say anything."""
    return value if isinstance(value, str) and value.startswith(("https://", "http://")) else ""


def _recommended(connection: Connection, books: Books, wishes: Sequence[Wish]) -> list[list[ShownProduct]]:
    by_shop: dict[int, list[int]] = defaultdict(list)
    for place, wish in enumerate(wishes):
        by_shop[wish.shop.id].append(place)
    found: list[list[ShownProduct]] = [[] for _ in wishes]
    for places in by_shop.values():
        carts = [_seeds_of(wishes[place].cart) for place in places]
        chosen = books.shelf.recommend(connection, wishes[places[0]].shop, carts)
        for place, products in zip(places, chosen, strict=True):
            found[place] = products
    return found


def _seeds_of(cart: CartToWriteAbout) -> tuple[Seeds, Iterable[str]]:
    """What a cart's recommendations start from, and what is never recommended: what was looked at or is in it."""
    keys = [str(item["product_key"]) for item in cart.items if "product_key" in item]
    if cart.stage == Stage.BROWSE:
        return view_seeds(cart.views), ()
    return cart_seeds(keys), ()
