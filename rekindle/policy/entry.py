"""Does this cart match that condition? Entry filters and branches of flows, over facts of cart and shopper.

A fact that is not known makes every test false, except ``missing``. Pure boolean logic otherwise: ``not`` turns a
test on an unknown fact into true, so write "not missing and not equal" where that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from rekindle.terms.flow import AllOf, AnyOf, Condition, Field, Not, Test

Facts = Mapping[Field, object]  #: a missing key, None, "" and () all mean: not known


class PlainCart(Protocol):
    """A cart without its lines."""

    @property
    def stage(self) -> str: ...
    @property
    def currency(self) -> str | None: ...
    @property
    def total_cents(self) -> int: ...


class PlainShopper(Protocol):
    """What conditions ask of a shopper."""

    @property
    def country(self) -> str: ...
    @property
    def locale(self) -> str: ...
    @property
    def order_count(self) -> int | None: ...


def matches(condition: Condition | None, facts: Facts) -> bool:
    """Whether the condition holds; no condition always does.

    >>> big = Test(field=Field.TOTAL_CENTS, op="ge", value=5000)
    >>> matches(big, {Field.TOTAL_CENTS: 5000}), matches(big, {}), matches(Not(of=big), {})
    (True, False, True)
    """
    if isinstance(condition, Test):
        return _holds(condition, facts.get(condition.field))
    if condition is None:
        return True
    if isinstance(condition, AllOf):
        return all(matches(member, facts) for member in condition.of)
    if isinstance(condition, AnyOf):
        return any(matches(member, facts) for member in condition.of)
    return not matches(condition.of, facts)


def facts_of(
    *,
    stage: str,
    currency: str | None,
    total_cents: int,
    items: Sequence[Mapping[str, object]],
    cart_facts: Mapping[str, object],
    country: str = "",
    locale: str = "",
    order_count: int | None = None,
    clicked: bool | None = None,
) -> dict[Field, object]:
    """What conditions may ask, out of a cart and its shopper. ``items``: lines as stored, ``cart_facts``: behaviour.

    >>> facts_of(stage="cart", currency="EUR", total_cents=5, items=[], cart_facts={})[Field.STAGE]
    'cart'
    """
    quantities = [item.get("quantity") for item in items]
    return {
        Field.STAGE: stage,
        Field.CURRENCY: currency,
        Field.TOTAL_CENTS: total_cents,
        Field.ITEM_COUNT: sum(q for q in quantities if isinstance(q, int)),
        Field.PRODUCT_KEYS: tuple(item["product_key"] for item in items if "product_key" in item),
        Field.DEVICE: cart_facts.get("device"),
        Field.RETURNING: cart_facts.get("returning"),
        Field.COUNTRY: country,
        Field.LOCALE: locale,
        Field.ORDER_COUNT: order_count,
        Field.CLICKED: clicked,
    }


#: The facts that lie in plain columns, by field, out of a cart and its shopper, as `facts_of` says them.
PLAIN_FACTS: Mapping[Field, Callable[[PlainCart, PlainShopper | None], object]] = {
    Field.STAGE: lambda cart, shopper: cart.stage,
    Field.CURRENCY: lambda cart, shopper: cart.currency,
    Field.TOTAL_CENTS: lambda cart, shopper: cart.total_cents,
    Field.COUNTRY: lambda cart, shopper: shopper.country if shopper else "",
    Field.LOCALE: lambda cart, shopper: shopper.locale if shopper else "",
    Field.ORDER_COUNT: lambda cart, shopper: shopper.order_count if shopper else None,
}


def first_failure(condition: Condition | None, facts: Facts) -> dict[str, object]:
    """Evidence for a refusal: the first part that does not hold, with the fact as it was. Empty when all hold.

    >>> first_failure(Test(field=Field.COUNTRY, op="eq", value="DE"), {Field.COUNTRY: "AT"})
    {'field': 'country', 'op': 'eq', 'wanted': 'DE', 'was': 'AT'}
    """
    if condition is None or matches(condition, facts):
        return {}
    if isinstance(condition, AllOf):
        return next(first_failure(member, facts) for member in condition.of if not matches(member, facts))
    if isinstance(condition, AnyOf):
        return {"none_of": [first_failure(member, facts) for member in condition.of]}
    if isinstance(condition, Not):
        return {"not": _describe(condition.of, facts)}
    return _describe(condition, facts)


def fields_of(condition: Condition | None) -> frozenset[Field]:
    """The facts a condition looks at, so that others need not be fetched.

    >>> sorted(fields_of(Not(of=Test(field=Field.CLICKED, op="eq", value=True))))
    [<Field.CLICKED: 'clicked'>]
    """
    return frozenset(test.field for test in _tests(condition))


def _tests(condition: Condition | None) -> Iterator[Test]:
    if isinstance(condition, AllOf | AnyOf):
        for member in condition.of:
            yield from _tests(member)
    elif isinstance(condition, Not):
        yield from _tests(condition.of)
    elif condition is not None:
        yield condition


def _describe(condition: Condition, facts: Facts) -> dict[str, object]:
    if isinstance(condition, Test):
        fact = facts.get(condition.field)
        was = list(fact) if isinstance(fact, tuple | frozenset | set) else fact
        return {"field": condition.field.value, "op": condition.op, "wanted": condition.value, "was": was}
    if isinstance(condition, Not):
        return {"not": _describe(condition.of, facts)}
    kind = "all" if isinstance(condition, AllOf) else "any"
    return {kind: [_describe(member, facts) for member in condition.of]}


def _unknown(fact: object) -> bool:
    return fact is None or (isinstance(fact, str | tuple | list | frozenset | set) and not fact)


def _holds(test: Test, fact: object) -> bool:
    if test.op in ("lt", "le", "gt", "ge"):
        return _compare(test, fact)
    if test.op == "missing":
        return _unknown(fact)
    if _unknown(fact):
        return False
    several = isinstance(fact, tuple | list | frozenset | set)
    members = list(fact) if isinstance(fact, tuple | list | frozenset | set) else [fact]
    if test.op == "contains":
        if several:
            return any(_same(member, test.value) for member in members)
        return isinstance(fact, str) and isinstance(test.value, str) and test.value in fact
    if test.op == "in":
        wanted = test.value if isinstance(test.value, list) else []
        return any(_same(member, value) for member in members for value in wanted)
    equal = any(_same(member, test.value) for member in members)
    return equal if test.op == "eq" else not equal


def _compare(test: Test, fact: object) -> bool:
    limit = test.value
    if isinstance(fact, bool) or not isinstance(fact, int | float):
        return False
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        return False
    if test.op == "lt":
        return fact < limit
    if test.op == "le":
        return fact <= limit
    return fact > limit if test.op == "gt" else fact >= limit


def _same(left: object, right: object) -> bool:
    """Equal, where true is not 1."""
    return isinstance(left, bool) == isinstance(right, bool) and left == right
