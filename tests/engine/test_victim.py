"""S-05: what can somebody do to a person whose address they know? Made-up carts in heaps, where the law asks for most
and where it asks for least.

`REKINDLE_FAKE_CARTS` sets how large the heap is; `make prove` takes 100,000.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection, connect
from rekindle.terms.consent import ConsentMarks
from rekindle.terms.event import ConsentGiven, EventKind, ShopEvent

from ..event_factory import added, event, identified, item, tell
from .days import Days

CARTS = int(os.environ.get("REKINDLE_FAKE_CARTS", "60"))
DAY = timedelta(days=1)
VICTIM, PHONE = "victim@example.com", "+4366412345678"
CLAIMS = ConsentMarks(is_confirmed=True, is_written=True, mentions_cart=True)


@pytest.fixture
def link(fresh_dsn: str) -> Iterator[Connection]:
    with connect(fresh_dsn) as connection:
        yield connection


def fake(days: Days, number: int, country: str, *, claims: bool) -> ShopEvent:
    """A checkout of a visit of its own, with the victim's address and whatever consent a page can claim."""
    said = tuple(
        ConsentGiven(
            channel=channel, granted=True, wording=f"Yes {number % 7}.", claimed=CLAIMS,
            network=f"203.0.{number % 200}.0/24",
        )
        for channel in ("email", "sms")
    )  # fmt: skip
    return event(
        EventKind.CHECKOUT_STARTED, at=days.clock.now(), visitor_key=f"a:evil-{number}", cart_key=f"fake-{number}",
        email=VICTIM, phone=PHONE, items=(item(f"spam-{number}"),), consents=said if claims else (),
        facts={"country": country} if country else {}, traits={"first_name": "Click here"},
    )  # fmt: skip


def pile_up(days: Days, number: int, country: str, *, claims: bool) -> None:
    for first in range(0, number, 500):
        tell(
            days.connection, days.context, days.shop,
            *(fake(days, one, country, claims=claims) for one in range(first, min(number, first + 500))),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("home", "told", "claims", "asks", "most"),
    [
        ("AT", "AT", False, "law", 0), ("DE", "DE", False, "law", 0), ("DE", "US", False, "law", 0),
        ("DE", "US", True, "law", 1), ("US", "DE", True, "law", 1), ("", "", True, "law", 1),  # one question, no more
        ("AT", "US", True, "law", 2),  # where an unconfirmed yes counts by law: the reminders of one cart
        ("AT", "AT", True, "always", 1), ("US", "US", True, "always", 1), ("US", "US", False, "always", 0),
        ("US", "US", False, "law", 3),  # where the law asks for no yes: the reminders of one cart
    ],
)  # fmt: skip
def test_a_heap_of_made_up_carts_brings_no_more_than_one(
    link: Connection,
    fresh_dsn: str,
    context: Context,
    clock: MovableClock,
    capsys: pytest.CaptureFixture[str],
    home: str,
    told: str,
    claims: bool,
    asks: str,
    most: int,
) -> None:
    """``home``: the shop's country; ``told``: the one that the stranger claims, which never makes a rule milder."""
    days = Days(link, fresh_dsn, context, clock, country=home, double_opt_in=asks)
    size = CARTS if asks == "law" and most == 2 else min(CARTS, 30)
    pile_up(days, size, told, claims=claims)
    days.pass_by(6 * DAY)
    found = Counter(one.channel for one in days.went())
    with capsys.disabled():
        yes = "claimed consent" if claims else "no consent"
        print(f"\nS-05: shop in {home or 'no country'}, {yes}, asks {asks}, {size:,} carts: {found.total()} messages")
    assert found["sms"] == 0, "no text message without a confirmed number"
    assert found["email"] <= most
    assert {letter.recipient for letter in days.provider.started} <= {VICTIM}


def test_the_victims_own_cart_and_name_stay_as_they_were(
    link: Connection, fresh_dsn: str, context: Context, clock: MovableClock
) -> None:
    days = Days(link, fresh_dsn, context, clock, country="AT")
    told = identified(at=clock.now(), email=VICTIM, visitor_key="a:victim", traits={"first_name": "Vera"})
    tell(link, context, days.shop, told)
    tell(link, context, days.shop, added(item("mug"), at=clock.now(), visitor_key="a:victim", cart_key="hers"))
    own = "SELECT * FROM carts WHERE cart_key = 'hers'"
    before = link.execute(own).fetchall()
    pile_up(days, min(CARTS, 200), "AT", claims=True)
    assert link.execute(own).fetchall() == before
    names = link.execute("SELECT first_name FROM shoppers WHERE first_name <> ''").fetchall()
    assert ("Vera",) in names
    shopper = "SELECT shopper_id FROM carts WHERE cart_key = 'hers'"
    query = f"SELECT channel, address FROM contact_points WHERE shopper_id = ({shopper})"
    assert link.execute(query).fetchall() == [("email", VICTIM)]  # type: ignore[arg-type]
