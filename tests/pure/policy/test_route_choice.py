"""Which account takes a message?"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekindle.policy.mailbox import MAILBOX_PROVIDERS, limited_mailbox, mailbox_of
from rekindle.policy.route_choice import Option, Readiness, choose, in_turn, wait_of

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
READY, TRIAL, PAUSED = Readiness.READY, Readiness.ON_TRIAL, Readiness.PAUSED


def option(account: int, position: int = 0, weight: int = 100, readiness: Readiness = READY) -> Option:
    until = NOW + timedelta(minutes=account) if readiness is PAUSED else None
    return Option(account, position, weight, readiness, until, f"account {account}")


@pytest.mark.parametrize(
    ("options", "excluded", "expected"),
    [
        ([], (), None),
        ([option(1)], (), 1),
        ([option(1), option(2, 1)], (), 1),
        ([option(1, readiness=PAUSED), option(2, 1)], (), 2),
        ([option(1), option(2, 1)], (1,), 2),
        ([option(1, readiness=PAUSED), option(2, 1, readiness=PAUSED)], (), None),
        ([option(1, weight=0), option(2, weight=1)], (), 2),
        ([option(1, weight=0), option(2, weight=1, readiness=PAUSED)], (), 1),
        ([option(1, weight=0), option(2, 1, weight=50)], (), 1),
        ([option(1, readiness=TRIAL), option(2)], (), 1),
        ([option(1, readiness=TRIAL), option(2, 1)], (), 1),
        ([option(1), option(2, 1, readiness=TRIAL)], (), 1),
        ([option(1)], (1,), None),
    ],
)
def test_order_pause_weight_and_trial(options: list[Option], excluded: tuple[int, ...], expected: int | None) -> None:
    found = choose(options, "a message", excluded)
    assert (found.account_id if found else None) == expected


def test_weights_are_shares() -> None:
    options = [option(1, weight=70), option(2, weight=20), option(3, weight=10)]
    found = Counter(choose(options, f"message {n}").account_id for n in range(20_000))  # type: ignore[union-attr]
    assert [round(found[account] / 20_000, 2) for account in (1, 2, 3)] == pytest.approx([0.7, 0.2, 0.1], abs=0.012)


accounts = st.lists(
    st.builds(option, st.integers(1, 9), st.integers(0, 2), st.integers(0, 1000), st.sampled_from(list(Readiness))),
    unique_by=lambda one: one.account_id,
    max_size=6,
)


@given(accounts, st.text(max_size=40))
def test_a_choice_is_usable_stable_and_never_skips_a_better_position(options: list[Option], message: str) -> None:
    found = choose(options, message)
    usable = [one for one in options if one.readiness is not PAUSED]
    assert (found is None) == (not usable)
    if found is not None:
        assert found in usable
        assert found.position == min(one.position for one in usable)
        assert choose(list(reversed(options)), message) == found or found.readiness is TRIAL


@given(accounts, st.text(max_size=40), st.integers(1, 9))
def test_an_account_that_drops_out_moves_only_its_own_messages(options: list[Option], message: str, gone: int) -> None:
    options = [one._replace(weight=max(one.weight, 1)) for one in options if one.readiness is not TRIAL]
    before = choose(options, message)
    after = choose([one for one in options if one.account_id != gone], message)
    if before is not None and before.account_id != gone:
        assert after == before


def test_the_first_pause_to_end_is_waited_for() -> None:
    assert wait_of([option(1), option(3, readiness=PAUSED), option(2, readiness=PAUSED)]) == (
        NOW + timedelta(minutes=2),
        "account 2",
    )
    assert wait_of([option(1)]) is None


@given(st.lists(st.integers(0, 29 * 86_400), min_size=2, max_size=20), st.lists(st.integers(1, 900), max_size=6))
def test_whoever_was_planned_first_comes_back_first_however_often_it_waited(ages: list[int], waits: list[int]) -> None:
    planned = [NOW - timedelta(seconds=3 * age) / 3 for age in sorted({age - age % 3 for age in ages}, reverse=True)]
    resume = NOW
    for wait in [1, *waits]:
        resume += timedelta(seconds=wait)
        back = [in_turn(resume, at) for at in planned]
        assert back == sorted(back)
        assert len(set(back)) == len(back)
        assert all(resume <= at <= resume + timedelta(seconds=1) for at in back)


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("a@gmail.com", "gmail"),
        ("a@GoogleMail.com", "gmail"),
        ("a@hotmail.co.uk", "outlook"),
        ("a@outlook.de", "outlook"),
        ("a@yahoo.com.br", "yahoo"),
        ("a@aol.com", "yahoo"),
        ("a@me.com", "icloud"),
        ("a@live.evil.example", "live.evil.example"),
        ("a@notgmail.com", "notgmail.com"),
        ("a@gmail.com.evil.example", "gmail.com.evil.example"),
        ("a@shop.example.", "shop.example"),
        ("", ""),
    ],
)
def test_whose_mailbox_it_is(address: str, provider: str) -> None:
    assert mailbox_of(address) == provider


def test_a_limit_may_name_a_provider_or_a_domain() -> None:
    assert limited_mailbox("a@hotmail.fr", {"hotmail.fr"}) == "hotmail.fr"
    assert limited_mailbox("a@hotmail.fr", {"outlook", "hotmail.fr"}) == "outlook"
    assert limited_mailbox("a@shop.example", {"gmail"}) is None
    assert all(name == name.lower() for name in MAILBOX_PROVIDERS)
