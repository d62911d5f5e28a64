"""What does this event make of the cart?

The only place where events change carts. `engine/project.py` calls `apply` for each new event of a cart; nothing here
knows where carts are stored. Events may arrive late, doubled by no one (the store deduplicates) and in any order:

- A run is one life of a cart key. A cart that was bought begins a new run with the next addition; what is older than a
  run (``facts["since_ms"]``) no longer touches it.
- Additions and removals count unless a snapshot is newer (`snapshot_at`); see `cart_lines`.
- Nothing that happened before the end of a run opens it again. What arrives late is still written down.
- Looking at products keeps an open cart alive, but does not bring an abandoned one back: only what is done with the
  cart does. The visit then has a row of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from rekindle.policy.cart_draft import BOUGHT, CartDraft, cart_of, draft_of, from_ms, to_ms
from rekindle.policy.cart_lines import add, product_keys, remove, replace_all, retotal
from rekindle.terms.cart import MAX_VIEWS, STAGE_ORDER, Cart, CartState, Stage
from rekindle.terms.event import EventKind, ShopEvent
from rekindle.terms.reasons import Reason
from rekindle.terms.shop import ShopSettings

#: Kinds that are done with a cart. All others are about the visit or the person.
OF_A_CART: Final = frozenset(
    {
        EventKind.PRODUCT_ADDED,
        EventKind.PRODUCT_REMOVED,
        EventKind.CART_VIEWED,
        EventKind.CART_UPDATED,
        EventKind.CHECKOUT_STARTED,
        EventKind.CHECKOUT_STEP,
        EventKind.PAYMENT_ENTERED,
        EventKind.PAYMENT_FAILED,
        EventKind.COUPON_TRIED,
    }
)
#: Kinds that say that the shopper is still there, without being about a cart.
OF_A_VISIT: Final = frozenset({EventKind.PRODUCT_VIEWED, EventKind.PAGE_VIEWED, EventKind.OTHER})

#: A snapshot with nothing new so soon after the order repeats the bought cart: shops clear theirs with a delay.
ECHO = timedelta(minutes=5)
#: Filled again within this time, an emptied cart is the same one.
REFILL = timedelta(days=1)
_KEPT_FACTS: Final = frozenset((
    "device", "locale", "timezone", "country", "region", "campaign",
    "step", "shipping_method", "payment_method", "reason", "coupon", "coupon_outcome",
))  # fmt: skip
_RUN_FACTS: Final = (
    "stage_at", "view_count", "payment_failed", "coupon_tried", "gone", "told_value", "cut",
    "step", "shipping_method", "payment_method", "reason", "coupon", "coupon_outcome",
)  # fmt: skip
_STAGE_OF: Final = {
    EventKind.PRODUCT_VIEWED: Stage.BROWSE,
    EventKind.PRODUCT_ADDED: Stage.CART,
    EventKind.PRODUCT_REMOVED: Stage.CART,
    EventKind.CART_VIEWED: Stage.CART,
    EventKind.CART_UPDATED: Stage.CART,
    EventKind.COUPON_TRIED: Stage.CART,
    EventKind.CHECKOUT_STARTED: Stage.CHECKOUT,
    EventKind.CHECKOUT_STEP: Stage.CHECKOUT,
    EventKind.PAYMENT_ENTERED: Stage.PAYMENT,
    EventKind.PAYMENT_FAILED: Stage.PAYMENT,
}

#: Read once: an enum looks its members up slowly.
_OPEN, _ABANDONED, _BROWSE = CartState.OPEN, CartState.ABANDONED, Stage.BROWSE
_COUPON_TRIED: Final = EventKind.COUPON_TRIED
_WORD_OF: Final = {stage: stage.value for stage in Stage}  # an enum's own way to its value is slow


def fold(cart: Cart | None, event: ShopEvent, shop: ShopSettings, *, bucket: int, cart_id: UUID, cart_key: str) -> Cart:
    """The cart after one event; ``cart`` is None for one that was not known. Pure; `apply` is its working part."""
    draft = draft_of(cart) if cart is not None else CartDraft(bucket, cart_id, shop.id, cart_key, event.at)
    apply(draft, event, shop)
    return cart_of(draft)


def fold_all(cart: Cart, events: Sequence[ShopEvent], shop: ShopSettings) -> Cart:
    """The cart after several events, in the order given."""
    draft = draft_of(cart)
    for event in events:
        apply(draft, event, shop)
    return cart_of(draft)


def apply(draft: CartDraft, event: ShopEvent, shop: ShopSettings, at_ms: int | None = None) -> None:
    """Fold one event into the draft. ``at_ms``: `to_ms` of its instant, where the caller has it already."""
    at, kind = event.at, event.kind
    if at_ms is None:
        at_ms = to_ms(at)
    if at_ms <= draft.facts.get("since_ms", 0):
        return  # of an earlier run
    if draft.state is not _OPEN and not _wake(draft, event):
        return
    is_newest, stage = at >= draft.touched_at, draft.stage
    handler = _HANDLERS.get(kind)
    if handler is not None:
        handler(draft, event, at_ms)
    _reach(draft, kind, at_ms)
    _note(draft, event, is_newest)
    if draft.closed_at is None or at <= draft.closed_at:
        if at > draft.touched_at:  # noqa: PLR1730 - max costs five times as much
            draft.touched_at = at
        if at < draft.created_at:
            draft.created_at = at
            draft.facts |= begin_facts(at, shop, draft.facts, is_returning=bool(draft.facts.get("returning")))
    if draft.state is _OPEN and (draft.check_at is None or draft.stage is not stage):
        _set_timer(draft, shop)
    draft.is_changed = True


def begin_facts(at: datetime, shop: ShopSettings, facts: dict[str, Any], *, is_returning: bool) -> dict[str, Any]:
    """What is known about a run at its first event: the local hour (0..23), and whether the shopper was here before.

    The hour is the shopper's when the zone is known, else the shop's.
    """
    zone = facts.get("timezone") or shop.timezone
    return {"hour": at.astimezone(_zone(str(zone))).hour, "returning": is_returning}


def _wake(draft: CartDraft, event: ShopEvent) -> bool:
    """Whether a cart that is not open takes this event at all; opens it where the event brings it back."""
    if draft.is_closed and not _open_again(draft, event):
        return False
    if draft.state is _ABANDONED and event.at > draft.touched_at and _brings_back(draft, event):
        _reopen(draft)
        draft.left = Reason.RETURNED
    return True


def _open_again(draft: CartDraft, event: ShopEvent) -> bool:
    """Whether a closed cart takes this event at all; opens it where the event begins or continues a run."""
    closed_at = draft.closed_at or draft.touched_at
    is_after = event.at > closed_at
    if draft.state in BOUGHT:
        if not is_after:
            return True
        if not _fills(event) or _is_echo(draft, event, closed_at):
            return False
        _new_run(draft, event.at, since_ms=to_ms(closed_at))
        return True
    if draft.state is CartState.LOST and not draft.is_browse:
        if is_after and event.kind in OF_A_CART:
            _reopen(draft)
            draft.created_at = draft.touched_at = event.at
        return not is_after or event.kind in OF_A_CART
    return _refill(draft, event, closed_at, is_after)


def _refill(draft: CartDraft, event: ShopEvent, closed_at: datetime, is_after: bool) -> bool:
    """An emptied cart is opened by what fills it, also when that arrives late; an ended visit by a new look."""
    if draft.is_browse:
        if is_after and event.kind is EventKind.PRODUCT_VIEWED:
            _new_run(draft, event.at, since_ms=to_ms(closed_at))
        return not is_after or event.kind is EventKind.PRODUCT_VIEWED
    if not _fills(event):
        return not is_after or event.kind in (EventKind.PRODUCT_REMOVED, EventKind.CART_UPDATED)
    if is_after and event.at - closed_at > REFILL:
        _new_run(draft, event.at, since_ms=to_ms(closed_at))
    return True


def _new_run(draft: CartDraft, at: datetime, *, since_ms: int) -> None:
    _reopen(draft)
    draft.created_at = draft.touched_at = at
    draft.stage = Stage.BROWSE
    draft.items, draft.total_cents, draft.snapshot_at = [], 0, None
    draft.order_key = draft.checkout_key = draft.recover_url = None
    if draft.is_browse:
        draft.views = []
    for name in _RUN_FACTS:
        draft.facts.pop(name, None)
    draft.facts["since_ms"] = since_ms


def _reopen(draft: CartDraft) -> None:
    draft.state, draft.is_begun = CartState.OPEN, True
    draft.closed_at = draft.abandoned_at = draft.check_at = None


def _fills(event: ShopEvent) -> bool:
    """Whether the event puts something into the cart."""
    if event.kind is EventKind.PRODUCT_ADDED:
        return True
    told = event.kind in (EventKind.CART_UPDATED, EventKind.CART_VIEWED, EventKind.CHECKOUT_STARTED)
    return told and any(item.quantity > 0 for item in event.items)


def _is_echo(draft: CartDraft, event: ShopEvent, closed_at: datetime) -> bool:
    if event.kind is EventKind.PRODUCT_ADDED or event.at - closed_at > ECHO:
        return False
    return {item.product_key for item in event.items} <= product_keys(draft.items)


def _brings_back(draft: CartDraft, event: ShopEvent) -> bool:
    return event.kind in OF_A_CART or (draft.is_browse and event.kind in OF_A_VISIT)


def _added(draft: CartDraft, event: ShopEvent, at_ms: int) -> None:
    items, snapshot_at = event.items, draft.snapshot_at
    if not items or (snapshot_at is not None and event.at < snapshot_at):
        return
    for item in items:
        add(draft, item, at_ms)
    _recount(draft, event, at_ms)


def _removed(draft: CartDraft, event: ShopEvent, at_ms: int) -> None:
    if not event.items or _overtaken(draft, event):
        return
    for item in event.items:
        remove(draft, item, at_ms)
    _recount(draft, event, at_ms)


def _snapshot(draft: CartDraft, event: ShopEvent, at_ms: int) -> None:
    """Full state. A viewed cart or a checkout that tells no items says nothing about them."""
    if _overtaken(draft, event) or not (event.kind is EventKind.CART_UPDATED or _fills(event)):
        return
    replace_all(draft, event.items, at_ms)
    draft.snapshot_at = event.at
    _recount(draft, event, at_ms)


def _viewed(draft: CartDraft, event: ShopEvent, at_ms: int) -> None:
    is_later = event.at > draft.touched_at or not draft.facts.get("view_count")
    for item in event.items:
        if item.product_key in draft.views:
            if not is_later:
                continue
            draft.views.remove(item.product_key)
        draft.views.insert(0 if is_later else len(draft.views), item.product_key)
    del draft.views[MAX_VIEWS:]
    if is_later:
        draft.facts["view_count"] = draft.facts.get("view_count", 0) + 1


def _payment_failed(draft: CartDraft, event: ShopEvent, at_ms: int) -> None:
    draft.facts["payment_failed"] = True


def _coupon_tried(draft: CartDraft, event: ShopEvent, at_ms: int) -> None:
    draft.facts["coupon_tried"] = True


def _overtaken(draft: CartDraft, event: ShopEvent) -> bool:
    return draft.snapshot_at is not None and event.at < draft.snapshot_at


def _recount(draft: CartDraft, event: ShopEvent, at_ms: int) -> None:
    """After a change of items: currency, worth, and whether anything is left."""
    if event.currency is not None and (draft.currency is None or event.at >= draft.touched_at):
        draft.currency = event.currency
    if draft.items:
        if draft.state is not _OPEN and draft.state is CartState.EMPTIED:
            _reopen(draft)
    elif draft.state not in BOUGHT:
        _empty(draft, event, at_ms)
    retotal(draft)


def _empty(draft: CartDraft, event: ShopEvent, at_ms: int) -> None:
    """Nothing is left: ended at the last removal, which may have arrived before this event."""
    gone: dict[str, list[int]] = draft.facts.get("gone", {})
    last_ms = max([at_ms, *(when for when, _ in gone.values())])
    emptied_at = event.at if last_ms == at_ms else from_ms(last_ms)
    if draft.state is CartState.EMPTIED and draft.closed_at is not None:
        is_removal = event.kind is EventKind.PRODUCT_REMOVED
        emptied_at = max(draft.closed_at, emptied_at) if is_removal else draft.closed_at
    draft.facts.pop("told_value", None)
    draft.end_with(CartState.EMPTIED, emptied_at, Reason.EMPTIED)


def _reach(draft: CartDraft, kind: EventKind, at_ms: int) -> None:
    stage = _STAGE_OF.get(kind)
    if stage is None or (draft.is_browse and stage is not _BROWSE):
        return
    word = _WORD_OF[stage]
    reached: dict[str, int] | None = draft.facts.get("stage_at")
    if reached is None:
        draft.facts["stage_at"] = {word: at_ms}
    elif word not in reached or at_ms < reached[word]:
        reached[word] = at_ms
    if stage is not draft.stage and STAGE_ORDER[stage] > STAGE_ORDER[draft.stage]:
        draft.stage = stage


def _note(draft: CartDraft, event: ShopEvent, is_newest: bool) -> None:
    """Facts of behaviour, the newest winning; where to go back to; what the shop says it is worth."""
    facts = draft.facts
    for name, value in event.facts.items():
        if name in _KEPT_FACTS and (is_newest or name not in facts):
            facts[name] = value
    if draft.visitor_key is None:
        draft.visitor_key = event.visitor_key
    if event.checkout_key is not None and (is_newest or draft.checkout_key is None):
        draft.checkout_key = event.checkout_key
    if event.recover_url is not None and (is_newest or draft.recover_url is None):
        draft.recover_url = event.recover_url
    if event.value_cents is not None and event.kind in OF_A_CART and event.kind is not _COUPON_TRIED:
        _note_value(draft, event, event.value_cents)


def _note_value(draft: CartDraft, event: ShopEvent, value_cents: int) -> None:
    at_ms = to_ms(event.at)
    told: list[int] | None = draft.facts.get("told_value")
    is_delta = event.kind in (EventKind.PRODUCT_ADDED, EventKind.PRODUCT_REMOVED)
    if is_delta or draft.state is CartState.EMPTIED or (told is not None and told[1] > at_ms):
        return  # the value of an addition is that of the product
    draft.facts["told_value"] = [value_cents, at_ms]
    draft.currency = draft.currency or event.currency
    retotal(draft)


def _set_timer(draft: CartDraft, shop: ShopSettings) -> None:
    """When the cart opens; brought forward when it reaches a stage with less patience. Activity leaves it alone."""
    check_at = draft.touched_at + _seconds(shop.idle_s(draft.stage))
    if draft.check_at is None or check_at < draft.check_at:
        draft.check_at = check_at


@lru_cache(maxsize=1_000)
def _seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


@lru_cache(maxsize=1_000)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return ZoneInfo("UTC")


_HANDLERS: Final[dict[EventKind, Callable[[CartDraft, ShopEvent, int], None]]] = {
    EventKind.PRODUCT_VIEWED: _viewed,
    EventKind.PRODUCT_ADDED: _added,
    EventKind.PRODUCT_REMOVED: _removed,
    EventKind.CART_VIEWED: _snapshot,
    EventKind.CART_UPDATED: _snapshot,
    EventKind.CHECKOUT_STARTED: _snapshot,
    EventKind.PAYMENT_FAILED: _payment_failed,
    EventKind.COUPON_TRIED: _coupon_tried,
}
