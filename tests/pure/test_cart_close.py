"""Does an order close what was bought, and only that, whichever arrives first?"""

from __future__ import annotations

from itertools import permutations

import pytest

from rekindle.policy.cart_close import OrderMark, close, close_visit, holds_bought, is_all_bought, is_of, latest
from rekindle.policy.cart_draft import CartDraft, cart_of, draft_of
from rekindle.policy.cart_fold import apply
from rekindle.terms.cart import Cart, CartState, Stage
from rekindle.terms.event import EventKind
from rekindle.terms.reasons import Reason

from ..event_factory import added, event, item, removed, snapshot, viewed
from .test_cart_fold import SHOP, at, cart_after, changed, lines


def mark(minute: int = 10, *keys: str, order_key: str = "o-1") -> OrderMark:
    return OrderMark(order_key=order_key, at=at(minute), product_keys=frozenset(keys))


def closed(cart: Cart, by: OrderMark, *, is_recovered: bool = False) -> tuple[bool, CartDraft]:
    draft = draft_of(cart)
    return close(draft, by, is_recovered=is_recovered), draft


def test_an_order_converts_its_cart_and_ends_what_runs_for_it() -> None:
    ended, draft = closed(cart_after(added(minute=0)), mark(10))
    assert ended
    assert (draft.state, draft.closed_at, draft.order_key, draft.check_at) == (CartState.CONVERTED, at(10), "o-1", None)
    assert draft.left is Reason.ORDERED


def test_a_cart_with_a_send_is_recovered_and_a_later_proof_lifts_it() -> None:
    _, draft = closed(cart_after(added(minute=0)), mark(10), is_recovered=True)
    assert draft.state is CartState.RECOVERED
    _, draft = closed(cart_after(added(minute=0)), mark(10))
    assert close(draft, mark(10), is_recovered=True)
    assert draft.state is CartState.RECOVERED


def test_what_was_added_after_the_order_begins_a_new_run() -> None:
    story = cart_after(
        added(item("mug"), minute=0), event(EventKind.CHECKOUT_STARTED, minute=5), added(item("pot"), minute=20)
    )
    ended, draft = closed(story, mark(10, "mug"))
    assert not ended
    assert (draft.state, draft.order_key, draft.stage, draft.created_at) == (CartState.OPEN, None, Stage.CART, at(20))
    assert [line["product_key"] for line in draft.items] == ["pot"]
    apply(draft, added(item("old"), minute=8), SHOP)
    assert [line["product_key"] for line in draft.items] == ["pot"]


def test_a_view_after_the_order_is_no_new_run() -> None:
    ended, draft = closed(cart_after(added(minute=0), event(EventKind.CART_VIEWED, minute=20)), mark(10))
    assert ended
    assert draft.touched_at == at(10)


def test_an_abandonment_that_the_order_precedes_never_was_one() -> None:
    cart = changed(cart_after(added(minute=0)), state=CartState.ABANDONED, abandoned_at=at(30))
    assert closed(cart, mark(10))[1].abandoned_at is None
    assert closed(cart, mark(40))[1].abandoned_at == at(30)


def test_the_shops_delayed_snapshot_is_not_a_new_run() -> None:
    cart = cart_after(added(minute=0), snapshot(item("mug", 2), minute=12))
    assert closed(cart, mark(10, "mug"))[0]
    assert not closed(cart, mark(10, "pot"))[0]


@pytest.mark.parametrize(
    ("state", "closed_minute", "is_named", "expected"),
    [
        (CartState.OPEN, None, False, True),
        (CartState.ABANDONED, None, False, True),
        (CartState.LOST, 8, False, False),
        (CartState.LOST, 8, True, True),
        (CartState.EMPTIED, 9, False, True),
        (CartState.EMPTIED, -20, False, False),
        (CartState.EMPTIED, -20, True, True),
        (CartState.CONVERTED, 5, True, False),
    ],
)
def test_which_carts_an_order_can_be_made_from(
    state: CartState, closed_minute: int | None, is_named: bool, expected: bool
) -> None:
    closed_at = None if closed_minute is None else at(closed_minute)
    draft = draft_of(changed(cart_after(added(minute=-30)), state=state, closed_at=closed_at, order_key=None))
    assert is_of(draft, mark(10), is_named=is_named) is expected


def test_a_cart_begun_after_the_order_is_not_its_cart_and_one_that_says_so_is() -> None:
    assert not is_of(draft_of(cart_after(added(minute=11))), mark(10), is_named=True)
    bought = changed(cart_after(added(minute=0)), state=CartState.CONVERTED, closed_at=at(10), order_key="o-1")
    assert is_of(draft_of(bought), mark(10), is_named=False)


def test_another_cart_is_bought_when_nothing_of_it_is_left() -> None:
    cart = draft_of(cart_after(added(item("mug"), item("cup"))))
    assert is_all_bought(cart, mark(10, "mug", "cup", "pot"))
    assert not is_all_bought(cart, mark(10, "mug"))
    assert not is_all_bought(cart, mark(10))
    assert holds_bought(cart, mark(10, "mug"))
    assert holds_bought(cart, mark(10))
    assert not holds_bought(cart, mark(10, "pot"))


def test_a_visit_ends_when_it_goes_on_in_a_cart_unless_it_went_on_looking() -> None:
    visit = draft_of(cart_after(viewed(minute=0), cart_key="browse:a:1"))
    close_visit(visit, at(5), Reason.MOVED_TO_CART)
    assert (visit.state, visit.left, visit.closed_at) == (CartState.EMPTIED, Reason.MOVED_TO_CART, at(5))
    looking = draft_of(cart_after(viewed(minute=9), cart_key="browse:a:1"))
    close_visit(looking, at(5), Reason.MOVED_TO_CART)
    assert looking.state is CartState.OPEN


def test_the_latest_order_is_the_one_that_counts() -> None:
    assert latest([]) is None
    assert latest([mark(1, order_key="a"), mark(9, order_key="b"), mark(3, order_key="c")]) == mark(9, order_key="b")


def test_cart_checkout_and_order_end_in_the_same_cart_in_any_order() -> None:
    """The order is asked again after each event, as the project step does for orders that arrived first."""
    story = [
        added(item("mug"), minute=0),
        event(EventKind.CHECKOUT_STARTED, minute=3),
        removed(item("pot"), minute=4),
        None,
    ]
    story.insert(1, added(item("pot"), minute=1))
    results = set()
    for order in permutations(story):
        cart: Cart | None = None
        is_ordered = False
        for one in order:
            is_ordered = is_ordered or one is None
            cart = cart_after(one, cart=cart) if one is not None else cart
            if cart is not None and is_ordered:
                draft = draft_of(cart)
                close(draft, mark(10), is_recovered=False)
                cart = cart_of(draft)
        assert cart is not None
        results.add(
            (cart.state, cart.stage, tuple(lines(cart).items()), cart.closed_at, cart.created_at, cart.touched_at)
        )
    assert results == {(CartState.CONVERTED, Stage.CHECKOUT, (("mug", 1),), at(10), at(0), at(4))}
