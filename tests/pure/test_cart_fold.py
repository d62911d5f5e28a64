"""Does each event do to a cart what a shopper would expect, in whatever order it arrives?"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.cart_draft import CartDraft, cart_of, draft_of, from_ms, to_ms
from rekindle.policy.cart_fold import apply, begin_facts, fold, fold_all
from rekindle.terms.cart import MAX_ITEMS, MAX_QUANTITY, MAX_VIEWS, Cart, CartState, Stage
from rekindle.terms.event import EventKind, ShopEvent
from rekindle.terms.shop import ShopSettings

from ..conftest import START
from ..event_factory import added, event, item, removed, snapshot, viewed

SHOP = ShopSettings(id=1, slug="s", name="S")
KINDS = EventKind


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def cart_after(*events: ShopEvent, cart: Cart | None = None, cart_key: str = "c-1") -> Cart:
    for one in events:
        cart = fold(cart, one, SHOP, bucket=7, cart_id=UUID(int=1), cart_key=cart_key)
    assert cart is not None
    return cart


def lines(cart: Cart) -> dict[str, int]:
    return {line.product_key: line.quantity for line in cart.items}


def changed(cart: Cart, **fields: object) -> Cart:
    draft = draft_of(cart)
    for name, value in fields.items():
        setattr(draft, name, value)
    return cart_of(draft)


def abandoned_cart() -> Cart:
    cart = cart_after(added(minute=0))
    return changed(cart, state=CartState.ABANDONED, abandoned_at=at(30), check_at=at(30) + timedelta(days=30))


def closed_cart(state: CartState, minute: int = 10) -> Cart:
    return changed(cart_after(added(minute=0)), state=state, closed_at=at(minute), check_at=None, order_key="o-1")


def test_an_addition_opens_a_cart_with_a_timer() -> None:
    cart = cart_after(added(item("mug", 2)))
    assert (cart.state, cart.stage, lines(cart), cart.total_cents) == (CartState.OPEN, Stage.CART, {"mug": 2}, 3900)
    assert cart.check_at == at(30)
    assert cart.visitor_key == "a:1"


def test_the_same_product_twice_is_one_line_and_another_variant_is_its_own() -> None:
    cart = cart_after(added(item("mug")), added(item("mug"), minute=1), added(item("mug", variant="blue"), minute=2))
    assert [(line.product_key, line.variant, line.quantity) for line in cart.items] == [
        ("mug", "", 2),
        ("mug", "blue", 1),
    ]


def test_activity_moves_the_last_touch_and_not_the_timer() -> None:
    cart = cart_after(added(minute=0), event(KINDS.CART_VIEWED, minute=20), event(KINDS.PAGE_VIEWED, minute=25))
    assert (cart.touched_at, cart.check_at) == (at(25), at(30))


def test_a_stage_with_less_patience_brings_the_timer_forward() -> None:
    early = cart_after(added(minute=0), event(KINDS.CHECKOUT_STARTED, minute=1))
    late = cart_after(added(minute=0), event(KINDS.CHECKOUT_STARTED, minute=20))
    assert (early.stage, early.check_at) == (Stage.CHECKOUT, at(16))
    assert late.check_at == at(30)


def test_the_furthest_stage_is_kept_and_each_first_reach_noted() -> None:
    cart = cart_after(added(minute=0), event(KINDS.PAYMENT_ENTERED, minute=3), event(KINDS.CART_VIEWED, minute=5))
    assert cart.stage is Stage.PAYMENT
    assert cart.facts["stage_at"] == {"cart": to_ms(at(0)), "payment": to_ms(at(3))}


def test_payment_failure_coupon_and_surroundings_become_facts() -> None:
    cart = cart_after(
        added(minute=0, facts={"device": "mobile", "country": "DE", "page_url": "https://shop.example/x"}),
        event(KINDS.COUPON_TRIED, minute=1, facts={"coupon": "SPRING", "coupon_outcome": "denied"}),
        event(KINDS.PAYMENT_FAILED, minute=2, facts={"payment_method": "card", "device": "desktop"}),
    )
    told = {
        name: cart.facts.get(name)
        for name in ("device", "country", "coupon", "coupon_tried", "payment_failed", "page_url")
    }
    assert told == {
        "device": "desktop",
        "country": "DE",
        "coupon": "SPRING",
        "coupon_tried": True,
        "payment_failed": True,
        "page_url": None,
    }


def test_taking_the_last_item_out_empties_the_cart_and_filling_it_again_opens_it() -> None:
    emptied = cart_after(added(minute=0), removed(minute=5))
    assert (emptied.state, emptied.closed_at, emptied.check_at, emptied.total_cents) == (
        CartState.EMPTIED,
        at(5),
        None,
        0,
    )
    again = cart_after(added(item("cup"), minute=9), cart=emptied)
    assert (again.state, again.closed_at, again.check_at, lines(again)) == (CartState.OPEN, None, at(39), {"cup": 1})
    assert again.created_at == at(0)


def test_a_cart_filled_again_days_later_is_a_new_run() -> None:
    emptied = cart_after(added(minute=0), removed(minute=5))
    cart = cart_after(added(item("cup"), minute=3 * 1440), cart=emptied)
    assert (cart.state, cart.created_at, cart.stage) == (CartState.OPEN, at(3 * 1440), Stage.CART)


def test_a_removal_without_quantity_takes_the_whole_line_and_without_variant_the_only_one() -> None:
    cart = cart_after(added(item("mug", 3, variant="blue"), item("cup")), removed(item("mug", 0), minute=1))
    assert lines(cart) == {"cup": 1}


def test_an_empty_snapshot_empties_and_a_full_one_replaces() -> None:
    cart = cart_after(added(minute=0), snapshot(item("cup", 2, 500), item("pot", 1, 900), minute=1))
    assert (lines(cart), cart.total_cents, cart.snapshot_at) == ({"cup": 2, "pot": 1}, 1900, at(1))
    assert cart_after(snapshot(minute=2), cart=cart).state is CartState.EMPTIED


def test_an_older_addition_does_not_change_a_newer_snapshot() -> None:
    cart = cart_after(snapshot(item("cup"), minute=5), added(item("mug"), minute=3))
    assert lines(cart) == {"cup": 1}


def test_a_snapshot_that_was_overtaken_keeps_what_came_after_it() -> None:
    cart = cart_after(
        added(item("pot"), minute=5), removed(item("cup"), minute=6), snapshot(item("cup"), item("mug"), minute=3)
    )
    assert lines(cart) == {"mug": 1, "pot": 1}


def test_a_checkout_tells_the_items_it_has_and_nothing_about_those_it_leaves_out() -> None:
    cart = cart_after(added(item("mug"), minute=0), event(KINDS.CHECKOUT_STARTED, minute=1))
    assert lines(cart) == {"mug": 1}
    told = cart_after(event(KINDS.CHECKOUT_STARTED, items=(item("cup"),), checkout_key="k", minute=2), cart=cart)
    assert (lines(told), told.checkout_key) == ({"cup": 1}, "k")


def test_the_shops_own_value_counts_only_while_lines_have_no_price() -> None:
    told = cart_after(snapshot(item("cup", 2, None), value_cents=4200))
    assert told.total_cents == 4200
    priced = cart_after(snapshot(item("cup", 2, 1000), minute=1, value_cents=9999), cart=told)
    assert priced.total_cents == 2000


@pytest.mark.parametrize("kind", [KINDS.CART_VIEWED, KINDS.CHECKOUT_STEP, KINDS.PRODUCT_ADDED])
def test_what_is_done_with_an_abandoned_cart_opens_it_again(kind: EventKind) -> None:
    draft = draft_of(abandoned_cart())
    apply(draft, event(kind, minute=300, items=(item(),)), SHOP)
    assert (draft.state, draft.abandoned_at, draft.touched_at) == (CartState.OPEN, None, at(300))
    assert draft.left == "RETURNED"
    assert draft.check_at == at(300) + timedelta(seconds=SHOP.idle_s(draft.stage))


def test_what_happened_before_the_abandonment_does_not_open_it() -> None:
    draft = draft_of(changed(abandoned_cart(), touched_at=at(8)))
    apply(draft, event(KINDS.CART_VIEWED, minute=5), SHOP)
    assert (draft.state, draft.left) == (CartState.ABANDONED, None)


@pytest.mark.parametrize("state", [CartState.CONVERTED, CartState.RECOVERED])
def test_nothing_older_than_the_order_opens_a_bought_cart(state: CartState) -> None:
    cart = cart_after(added(item("cup"), minute=4), cart=closed_cart(state))
    assert (cart.state, cart.order_key, lines(cart)) == (state, "o-1", {"mug": 1, "cup": 1})


def test_after_an_order_only_an_addition_begins_a_new_run() -> None:
    bought = closed_cart(CartState.CONVERTED)
    for kind in (KINDS.CART_VIEWED, KINDS.CHECKOUT_STEP, KINDS.PAGE_VIEWED, KINDS.PRODUCT_REMOVED):
        assert cart_after(event(kind, minute=20, items=()), cart=bought).state is CartState.CONVERTED
    again = cart_after(added(item("pot"), minute=20), cart=bought)
    assert (again.state, again.order_key, lines(again)) == (CartState.OPEN, None, {"pot": 1})
    assert (again.created_at, again.stage, again.check_at) == (at(20), Stage.CART, at(50))


def test_a_late_event_of_the_bought_run_does_not_touch_the_next_one() -> None:
    again = cart_after(added(item("pot"), minute=20), cart=closed_cart(CartState.CONVERTED))
    assert lines(cart_after(added(item("late"), minute=9), cart=again)) == {"pot": 1}


def test_the_snapshot_that_repeats_the_bought_cart_is_no_new_cart() -> None:
    bought = closed_cart(CartState.CONVERTED, minute=10)
    assert cart_after(snapshot(item("mug"), minute=11), cart=bought).state is CartState.CONVERTED
    assert cart_after(snapshot(minute=11), cart=bought).state is CartState.CONVERTED
    assert cart_after(snapshot(item("pot"), minute=11), cart=bought).state is CartState.OPEN
    assert cart_after(snapshot(item("mug"), minute=30), cart=bought).state is CartState.OPEN


def test_coming_back_to_a_lost_cart_opens_it_with_what_was_in_it() -> None:
    lost = changed(closed_cart(CartState.LOST), order_key=None)
    cart = cart_after(event(KINDS.CART_VIEWED, minute=99), cart=lost)
    assert (cart.state, lines(cart), cart.created_at) == (CartState.OPEN, {"mug": 1}, at(99))
    assert cart_after(event(KINDS.PAGE_VIEWED, minute=99), cart=lost).state is CartState.LOST


def test_a_visit_remembers_the_newest_products_first() -> None:
    cart = cart_after(
        viewed(item("a"), minute=0), viewed(item("b"), minute=1), viewed(item("a"), minute=2), cart_key="browse:a:1"
    )
    assert (cart.stage, cart.views, cart.facts["view_count"], cart.items) == (Stage.BROWSE, ("a", "b"), 3, ())
    assert cart.check_at == at(60)


def test_a_visit_keeps_the_newest_views_only() -> None:
    cart = cart_after(*(viewed(item(f"p{n}"), minute=n) for n in range(MAX_VIEWS + 5)), cart_key="browse:a:1")
    assert len(cart.views) == MAX_VIEWS
    assert cart.views[0] == f"p{MAX_VIEWS + 4}"


def test_looking_around_brings_a_left_visit_back_but_not_a_left_cart() -> None:
    visit = changed(cart_after(viewed(minute=0), cart_key="browse:a:1"), state=CartState.ABANDONED)
    draft = draft_of(visit)
    apply(draft, viewed(minute=99), SHOP)
    assert (draft.state, draft.left) == (CartState.OPEN, "RETURNED")
    cart = cart_after(viewed(minute=99), cart=abandoned_cart())
    assert cart.state is CartState.ABANDONED


def test_an_ended_visit_begins_anew_with_the_next_look() -> None:
    visit = changed(
        cart_after(viewed(item("a"), minute=0), cart_key="browse:a:1"), state=CartState.EMPTIED, closed_at=at(5)
    )
    cart = cart_after(viewed(item("b"), minute=99), cart=visit)
    assert (cart.state, cart.views, cart.created_at, cart.facts["view_count"]) == (CartState.OPEN, ("b",), at(99), 1)


def test_caps_hold_whatever_a_shop_sends() -> None:
    many = cart_after(*(added(*(item(f"p{n}", 10**6) for n in range(m, m + 40))) for m in range(0, 320, 40)))
    assert len(many.items) == MAX_ITEMS
    assert max(line.quantity for line in many.items) == MAX_QUANTITY
    more = cart_after(
        added(item("p0", 10**6)), snapshot(*(item(f"q{n}", 10**18) for n in range(500)), minute=1), cart=many
    )
    assert len(more.items) == MAX_ITEMS
    assert more.total_cents <= 2**53


def test_the_hour_is_the_shoppers_when_the_zone_is_known() -> None:
    assert begin_facts(START, SHOP, {}, is_returning=False) == {"hour": 9, "returning": False}
    assert begin_facts(START, SHOP, {"timezone": "Asia/Tokyo"}, is_returning=True) == {"hour": 18, "returning": True}
    assert begin_facts(START, SHOP, {"timezone": "../etc"}, is_returning=True)["hour"] == 9


def test_a_draft_and_its_cart_are_the_same() -> None:
    cart = cart_after(added(minute=0), event(KINDS.CHECKOUT_STARTED, minute=1, recover_url="https://shop.example/k"))
    assert cart_of(draft_of(cart)) == cart
    assert cart.recover_url == "https://shop.example/k"
    assert from_ms(to_ms(START)) == START


PRODUCTS = st.sampled_from(["a", "b", "c"])


@st.composite
def histories(draw: st.DrawFn) -> list[ShopEvent]:
    """Additions and removals that never take out more than is in, a minute apart."""
    inside: dict[str, int] = {}
    story = []
    for minute in range(draw(st.integers(1, 6))):
        product = draw(PRODUCTS)
        if inside.get(product) and draw(st.booleans()):
            quantity = draw(st.integers(1, inside[product]))
            inside[product] -= quantity
            story.append(removed(item(product, quantity), minute=minute))
        else:
            quantity = draw(st.integers(1, 3))
            inside[product] = inside.get(product, 0) + quantity
            story.append(added(item(product, quantity), minute=minute))
    return story


@given(histories(), st.randoms(use_true_random=False))
def test_additions_and_removals_end_in_the_same_cart_in_any_order(story: list[ShopEvent], random: object) -> None:
    told = cart_after(*story)
    shuffled = list(story)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    cart = cart_after(*shuffled)
    assert lines(cart) == lines(told)
    assert (cart.state, cart.total_cents, cart.stage, cart.closed_at) == (
        told.state,
        told.total_cents,
        told.stage,
        told.closed_at,
    )
    assert (cart.touched_at if cart.items else None) == (told.touched_at if told.items else None)


WILD = st.builds(
    event,
    st.sampled_from(list(EventKind)),
    minute=st.integers(0, 4000),
    items=st.lists(
        st.builds(item, PRODUCTS, st.integers(-5, 10**12), st.one_of(st.none(), st.integers(0, 10**14))), max_size=4
    ).map(tuple),
    value_cents=st.one_of(st.none(), st.integers(0, 10**14)),
)


@given(st.lists(WILD, min_size=1, max_size=12))
def test_no_story_breaks_what_always_holds(story: list[ShopEvent]) -> None:
    cart = cart_after(*story)
    assert all(0 < line.quantity <= MAX_QUANTITY for line in cart.items)
    assert len(cart.items) <= MAX_ITEMS
    assert 0 <= cart.total_cents <= 2**53
    assert cart.created_at <= cart.touched_at or cart.closed_at is not None
    assert (cart.check_at is None) == (cart.state is not CartState.OPEN)
    assert (cart.closed_at is not None) == (cart.state is CartState.EMPTIED)
    assert len({line.line_key for line in cart.items}) == len(cart.items)


@given(st.lists(WILD, min_size=2, max_size=6))
def test_a_snapshot_after_everything_decides_alone(story: list[ShopEvent]) -> None:
    last = snapshot(item("z", 2), minute=5000)
    carts = {tuple(sorted(lines(cart_after(*order, last)).items())) for order in permutations(story[:4])}
    late = cart_after(story[0], last)
    assert carts == {(("z", 2),)}
    assert lines(fold_all(late, story[1:], SHOP)) == {"z": 2}


def test_a_new_draft_has_no_timer_until_an_event_opens_it() -> None:
    draft = CartDraft(7, UUID(int=1), 1, "c-1", START)
    assert (draft.check_at, draft.is_new, draft.is_changed) == (None, True, False)
