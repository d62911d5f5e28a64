"""Which carts does a condition match?"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.entry import PLAIN_FACTS, fields_of, first_failure, matches
from rekindle.policy.entry import facts_of as all_facts
from rekindle.terms.flow import AllOf, AnyOf, Condition, Field, Not
from rekindle.terms.flow import Test as Comparison

FACTS = {
    Field.TOTAL_CENTS: 5_000,
    Field.ITEM_COUNT: 2,
    Field.CURRENCY: "EUR",
    Field.STAGE: "checkout",
    Field.COUNTRY: "DE",
    Field.RETURNING: True,
    Field.PRODUCT_KEYS: ("p1", "p2"),
    Field.LOCALE: "",
}


def fact_(field: str, op: str, value: object = None) -> Comparison:
    return Comparison(field=Field(field), op=op, value=value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, True),
        (fact_("total_cents", "ge", 5_000), True),
        (fact_("total_cents", "gt", 5_000), False),
        (fact_("total_cents", "lt", 5_000.5), True),
        (fact_("total_cents", "le", 4_999), False),
        (fact_("country", "eq", "DE"), True),
        (fact_("country", "ne", "DE"), False),
        (fact_("country", "ne", "AT"), True),
        (fact_("country", "in", ["AT", "DE"]), True),
        (fact_("country", "in", []), False),
        (fact_("country", "contains", "D"), True),
        (fact_("product_keys", "contains", "p2"), True),
        (fact_("product_keys", "contains", "p"), False),
        (fact_("product_keys", "in", ["p9", "p1"]), True),
        (fact_("product_keys", "eq", "p1"), True),
        (fact_("product_keys", "ne", "p1"), False),
        (fact_("returning", "eq", True), True),
        (fact_("returning", "eq", 1), False),
        (fact_("returning", "gt", 0), False),
        (fact_("country", "gt", 1), False),
        # not known: false, whatever is asked, except "missing"
        (fact_("device", "eq", "mobile"), False),
        (fact_("device", "ne", "mobile"), False),
        (fact_("device", "missing"), True),
        (fact_("locale", "missing"), True),
        (fact_("locale", "ne", "de"), False),
        (fact_("order_count", "lt", 5), False),
        (fact_("country", "missing"), False),
        (Not(of=fact_("device", "eq", "mobile")), True),
        (AllOf(of=(fact_("country", "eq", "DE"), fact_("total_cents", "ge", 1))), True),
        (AllOf(of=(fact_("country", "eq", "DE"), fact_("total_cents", "ge", 9_999))), False),
        (AnyOf(of=(fact_("country", "eq", "AT"), fact_("total_cents", "ge", 9_999))), False),
        (AnyOf(of=(fact_("country", "eq", "AT"), fact_("total_cents", "ge", 1))), True),
    ],
)
def test_a_condition_over_facts(condition: Condition | None, expected: bool) -> None:
    assert matches(condition, FACTS) is expected


def test_zero_is_a_known_fact() -> None:
    assert matches(fact_("order_count", "eq", 0), {Field.ORDER_COUNT: 0})
    assert not matches(fact_("order_count", "missing"), {Field.ORDER_COUNT: 0})


def test_the_first_failing_part_is_named_with_the_fact() -> None:
    condition = AllOf(
        of=(fact_("country", "eq", "DE"), AnyOf(of=(fact_("total_cents", "ge", 9_999), fact_("device", "eq", "tv"))))
    )
    assert first_failure(condition, FACTS) == {
        "none_of": [
            {"field": "total_cents", "op": "ge", "wanted": 9_999, "was": 5_000},
            {"field": "device", "op": "eq", "wanted": "tv", "was": None},
        ]
    }
    assert first_failure(condition, FACTS | {Field.DEVICE: "tv"}) == {}
    assert first_failure(Not(of=AllOf(of=(fact_("country", "eq", "DE"),))), FACTS) == {
        "not": {"all": [{"field": "country", "op": "eq", "wanted": "DE", "was": "DE"}]}
    }


def test_only_the_needed_facts_are_asked_for() -> None:
    condition = AnyOf(of=(fact_("country", "eq", "DE"), Not(of=fact_("clicked", "eq", True))))
    assert fields_of(condition) == {Field.COUNTRY, Field.CLICKED}
    assert fields_of(None) == frozenset()


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=2), st.lists(st.text(max_size=2), max_size=3)
)
_TESTS = st.builds(
    Comparison,
    field=st.sampled_from(list(Field)),
    op=st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge", "in", "contains", "missing"]),
    value=_VALUES,
)
_CONDITIONS = st.recursive(
    _TESTS,
    lambda inner: st.one_of(
        st.builds(AllOf, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, of=inner),
    ),
    max_leaves=8,
)
_FACTS = st.dictionaries(
    st.sampled_from(list(Field)),
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 5),
        st.text(max_size=2),
        st.lists(st.text(max_size=2), max_size=3).map(tuple),
    ),
)


@given(_CONDITIONS, _FACTS)
def test_evidence_is_there_exactly_when_it_fails(condition: Condition, facts: dict[Field, object]) -> None:
    assert bool(first_failure(condition, facts)) is (not matches(condition, facts))


@given(_CONDITIONS, _FACTS)
def test_unasked_facts_never_matter(condition: Condition, facts: dict[Field, object]) -> None:
    asked = {field: value for field, value in facts.items() if field in fields_of(condition)}
    assert matches(condition, facts) is matches(condition, asked)


@given(_TESTS)
def test_nothing_known_matches_nothing_but_missing(single: Comparison) -> None:
    assert matches(single, {}) is (single.op == "missing")


class _Cart(NamedTuple):
    stage: str = "checkout"
    currency: str | None = "EUR"
    total_cents: int = 5_000


class _Shopper(NamedTuple):
    country: str = "AT"
    locale: str = "de"
    order_count: int | None = 3


@pytest.mark.parametrize("shopper", [_Shopper(), None])
def test_plain_facts_are_those_of_the_whole(shopper: _Shopper | None) -> None:
    person = {} if shopper is None else shopper._asdict()
    whole = all_facts(**_Cart()._asdict(), items=[], cart_facts={}, **person)
    assert {field: tell(_Cart(), shopper) for field, tell in PLAIN_FACTS.items()} == {
        field: whole[field] for field in PLAIN_FACTS
    }
    asked_of_lines = {Field.ITEM_COUNT, Field.PRODUCT_KEYS, Field.DEVICE, Field.RETURNING, Field.CLICKED}
    assert PLAIN_FACTS.keys() | asked_of_lines == set(Field)
