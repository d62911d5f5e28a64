"""What became of this cart, and why? Its items, shopper, past, and every decision with its reason."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpResponse

from rekindle.lib.addresses import masked
from rekindle.store.dashboard.cart import (
    MOST_DECISIONS,
    MOST_EVENTS,
    CartPage,
    ContactLine,
    DecisionLine,
    ShopperPage,
    load_cart,
    load_contacts,
    load_decisions,
    load_enrolments,
    load_events,
    load_order,
    load_sends,
    load_shopper,
)
from rekindle.store.dashboard.flows import flows_of_shop
from rekindle.store.dashboard.sends import events_of_sends, outbox_of_sends
from rekindle.terms.attribution import LAST_CLICK
from rekindle.terms.decision import Outcome, Question
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit, person_id_of, shop_view
from rekindle.web.dashboard.cart_timeline import timeline
from rekindle.web.dashboard.page import Section, show_page, show_part, wants_part
from rekindle.web.dashboard.sends import show_sends
from rekindle.web.templatetags.dashboard import in_full

log = logging.getLogger(__name__)

_QUESTIONS = {
    Question.ABANDON.value: "Does the cart enter a flow?",
    Question.ASSIGN.value: "Treated or held out?",
    Question.NEXT_STEP.value: "Does the next step come now?",
    Question.MAY_SEND.value: "May this message go out now?",
    Question.EXIT.value: "May the run go on?",
}
#: An instant as evidence has it: always with its offset.
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)\Z")
_OUTCOMES = {
    Outcome.ALLOW.value: ("good", "Yes"),
    Outcome.DENY.value: ("bad", "No"),
    Outcome.DEFER.value: ("warn", "Not now"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    title: str
    detail: str
    quantity: int
    unit_cents: int | None
    line_cents: int | None
    url: str
    image_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """A verdict as the page shows it; ``evidence``: names and texts."""

    decision: DecisionLine
    question: str
    look: str
    outcome: str
    evidence: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactView:
    contact: ContactLine
    shown: str


@shop_view(get=Action.READ)
def cart(visit: Visit, bucket: int, cart_id: UUID) -> HttpResponse:
    return _show(visit, _load(visit, bucket, cart_id), revealed=False)


def _show(visit: Visit, page: CartPage, *, revealed: bool) -> HttpResponse:
    connection, shop, buckets = visit.connection, visit.shop, visit.buckets
    shopper = _shopper_of(visit, page)
    sends = load_sends(connection, page, buckets)
    order = load_order(connection, shop, page.order_key, rule=LAST_CLICK) if page.order_key else None
    events = load_events(connection, page)
    decisions = load_decisions(connection, page, buckets)
    moments = timeline(
        page,
        events=events,
        runs=load_enrolments(connection, page, buckets),
        sends=sends,
        facts=events_of_sends(connection, sends),
        outbox=outbox_of_sends(connection, sends),
        order=order,
        flow_names={flow.id: flow.name for flow in flows_of_shop(connection, shop.id)},
    )
    content = {
        "cart": page,
        "items": [_item(item) for item in page.items],
        "pieces": sum(_whole(item.get("quantity")) or 0 for item in page.items),
        "shopper": shopper,
        "contacts": _contacts(visit, shopper, revealed=revealed),
        "may_reveal": visit.may(Action.REVEAL_ADDRESS) and not revealed,
        "order": order,
        "moments": moments,
        "events_cut": len(events) >= MOST_EVENTS,
        "sends": show_sends(visit, sends),
        "decisions": [_decision(line, shop.timezone) for line in decisions],
        "decisions_cut": len(decisions) >= MOST_DECISIONS,
        "recovery": _recovery(visit, page),
    }
    return show_page(visit, "dashboard/cart.html", content, section=Section.CARTS)


@shop_view(post=Action.REVEAL_ADDRESS)
def reveal(visit: Visit, bucket: int, cart_id: UUID) -> HttpResponse:
    """The shopper's addresses in full; asked for one cart at a time, and noted who asked."""
    page = _load(visit, bucket, cart_id)
    facts = {"shop": visit.shop.id, "cart": str(page.id), "by": person_id_of(visit.request)}
    log.info("address_revealed", extra={"facts": facts})
    visit.noted["shopper"] = str(page.shopper_id)
    if not wants_part(visit):
        return _show(visit, page, revealed=True)
    shopper = _shopper_of(visit, page)
    content = {"contacts": _contacts(visit, shopper, revealed=True), "cart": page, "may_reveal": False}
    return show_part(visit, "dashboard/parts/contacts.html", content)


def _load(visit: Visit, bucket: int, cart_id: UUID) -> CartPage:
    page = None
    if bucket in visit.buckets:
        page = load_cart(visit.connection, bucket=bucket, shop_id=visit.shop.id, cart_id=cart_id)
    if page is None:
        raise Http404("there is no such cart")
    return page


def _shopper_of(visit: Visit, page: CartPage) -> ShopperPage | None:
    if page.shopper_id is None or page.shopper_bucket is None:
        return None
    return load_shopper(visit.connection, bucket=page.shopper_bucket, shop_id=visit.shop.id, shopper_id=page.shopper_id)


def _contacts(visit: Visit, shopper: ShopperPage | None, *, revealed: bool) -> list[ContactView]:
    if shopper is None:
        return []
    contacts = load_contacts(visit.connection, shopper, shop_id=visit.shop.id)
    return [
        ContactView(contact=one, shown=one.address if revealed else masked(one.address) if one.address else "")
        for one in contacts
    ]


def _item(item: Mapping[str, Any]) -> ItemView:
    unit, quantity = _whole(item.get("unit_cents")), _whole(item.get("quantity")) or 0
    detail = " · ".join(str(item[name]) for name in ("variant", "sku") if item.get(name))
    return ItemView(
        title=str(item.get("title") or item.get("product_key") or "?"),
        detail=detail,
        quantity=quantity,
        unit_cents=unit,
        line_cents=unit * quantity if unit is not None else None,
        url=str(item.get("url") or ""),
        image_url=str(item.get("image_url") or ""),
    )


def _decision(line: DecisionLine, timezone: str) -> DecisionView:
    look, outcome = _OUTCOMES.get(line.outcome, ("", line.outcome))
    if line.question == Question.ASSIGN.value:
        look, outcome = "calm", "Drawn"
    return DecisionView(
        decision=line,
        question=_QUESTIONS.get(line.question, line.question),
        look=look,
        outcome=outcome,
        evidence=[
            (str(name).replace("_", " "), evidence_text(value, timezone)) for name, value in line.evidence.items()
        ],
    )


def _recovery(visit: Visit, page: CartPage) -> dict[str, str]:
    """Where a recovery link of this cart begins and ends; the token itself is kept as a hash only."""
    return {"begins": f"{visit.context.public_url}/r/", "leads_to": page.recover_url or visit.shop.restore_url}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def option_words(option: Mapping[str, object]) -> str:
    """How one channel fared when a message's channel was chosen (policy.channel_choice), in plain counts.

    >>> option_words({"channel": "email", "sent": 6, "clicked": 0, "score": 0.038})
    'email: clicked 0 of 6, scores 0.038'
    >>> option_words({"channel": "sms", "sent": 0, "clicked": 0, "score": 0.05, "wish": True})
    'sms: asked for, clicked 0 of 0, scores 0.05'
    >>> option_words({"channel": "push", "obstacle": "NO_ADDRESS"})
    'push: not possible (NO_ADDRESS)'
    """
    channel = str(option.get("channel"))
    if "obstacle" in option:
        return f"{channel}: not possible ({option['obstacle']})"
    if "score" not in option:
        return f"{channel}: possible"
    wish = "asked for, " if option.get("wish") else ""
    return f"{channel}: {wish}clicked {option.get('clicked')} of {option.get('sent')}, scores {option['score']}"


def evidence_text(value: object, timezone: str) -> str:
    """A piece of evidence as a person reads it; instants in the shop's time zone.

    >>> evidence_text("2026-03-02T09:30:00+00:00", "Europe/Berlin"), evidence_text("2026-99-02T09:30:00Z", "UTC")
    ('Mon 2 Mar 2026, 10:30 CET', '2026-99-02T09:30:00Z')
    >>> evidence_text(["EU", "US"], "UTC"), evidence_text({"EU": "express"}, "UTC"), evidence_text(True, "UTC")
    ('EU, US', 'EU: express', 'true')
    """
    if isinstance(value, str) and _INSTANT.match(value):
        with contextlib.suppress(ValueError):
            return in_full(datetime.fromisoformat(value), timezone)
    if isinstance(value, list) and value and all(isinstance(one, dict) and "channel" in one for one in value):
        return "; ".join(option_words(one) for one in value)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        return ", ".join(str(one) for one in value)[:300]
    if isinstance(value, dict) and value and all(isinstance(one, str) for one in value.values()):
        return ", ".join(f"{name}: {one}" for name, one in value.items())[:300]
    return json.dumps(value, ensure_ascii=False)[:300]
