"""Does a cart's page tell the whole story, every decision, and run nothing that somebody typed into a shop?"""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest

from rekindle.terms.reasons import Reason
from rekindle.web.dashboard.cart import option_words
from tests.web.dashboard.test_overview import rows_of
from tests.web.seed import Seeded
from tests.web.seed_rows import Rows
from tests.web.world import World

pytestmark = pytest.mark.only_reads

OWNER, MARKETER, VIEWER = "owner@fernweh.example", "marketer@fernweh.example", "viewer@fernweh.example"

POLYGLOTS = [
    "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=alert() )//%0D%0A%0d%0a//</stYle/</titLe/</teXtarEa/</scRipt/--!>"
    "\\x3csVg/<sVg/oNloAd=alert()//>\\x3e",
    '"><img src=x onerror=alert(1)>',
    "'><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "{{ 7*7 }}{% now %}",
    "<a href=javascript:alert(1)>x</a>",
]
BAD_URLS = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "data:image/svg+xml,<svg onload=alert(1)>",
    "vbscript:x",
    "//evil.example/x.png",
    "https://ok.example/\"onerror='alert(1)'",
    "\x01javascript:alert(1)",
    "http://[::1",
]


def page(world: World, cart: dict[str, object], account: str = VIEWER) -> str:
    answer = world.as_(account).get(world.path(f"carts/{cart['bucket']}/{cart['id']}/"))
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize("world", [1, 1024], indirect=True, ids=["spread1", "spread1024"])
def test_every_decision_is_shown_with_its_sentence_and_evidence(world: World, seeded: Seeded) -> None:
    cart = seeded.story
    decisions = [row for row in rows_of(world, "decisions") if row["cart_id"] == cart["id"]]
    assert len(decisions) >= 4
    text = unescape(page(world, cart))
    shown = re.findall(r"<code>([A-Z_0-9]+)</code></div>", text)
    assert sorted(shown) == sorted(row["reason"] for row in decisions)
    for row in decisions:
        assert Reason[row["reason"]].sentence in text
        for value in row["evidence"].values():
            assert str(value) in text


def test_a_deferral_says_when_it_is_asked_again(world: World, seeded: Seeded) -> None:
    put_off = next(row for row in rows_of(world, "decisions") if row["reason"] == "QUIET_HOURS")
    cart = next(cart for cart in rows_of(world, "carts") if cart["id"] == put_off["cart_id"])
    text = page(world, cart)
    assert "Asked again" in text
    local = put_off["retry_at"] + timedelta(hours=1)  # winter in Berlin
    assert f"{local:%H:%M} CET" in text


def test_the_timeline_runs_from_the_first_item_to_the_order(world: World, seeded: Seeded) -> None:
    answer = world.as_(VIEWER).get(world.path(f"carts/{seeded.story['bucket']}/{seeded.story['id']}/"))
    titles = [moment.title for moment in answer.context["moments"]]
    for first, then in zip(
        ("Put something in", "Left behind", "Entered Cart recovery", "Sent", "Followed a link"),
        ("Left behind", "Entered Cart recovery", "Sent", "Followed a link", f"Ordered ({seeded.story['order_key']})"),
        strict=True,
    ):
        assert titles.index(first) < titles.index(then), (first, then)


@pytest.mark.writes
def test_the_address_is_masked_and_shown_only_on_demand_to_those_who_may(world: World, seeded: Seeded) -> None:
    cart = seeded.story
    (address,) = [r["address"] for r in rows_of(world, "contact_points") if r["shopper_id"] == cart["shopper_id"]]
    path = world.path(f"carts/{cart['bucket']}/{cart['id']}/addresses")
    for account in (OWNER, MARKETER, VIEWER):
        assert address not in page(world, cart, account)
    assert world.as_(VIEWER).post(path).status_code == 403
    assert world.as_(OWNER).get(path).status_code == 405
    for account in (OWNER, MARKETER):
        part = world.as_(account).post(path, HTTP_HX_REQUEST="true")
        assert address in part.text
        assert "<html" not in part.text
        assert "<html" in world.as_(account).post(path).text  # without scripts the whole page answers
    assert "Show in full" not in page(world, cart, VIEWER)


@pytest.mark.writes
def test_who_asked_for_an_address_is_logged_without_the_address(
    world: World, seeded: Seeded, caplog: pytest.LogCaptureFixture
) -> None:
    cart = seeded.story
    with caplog.at_level("INFO", logger="rekindle"):
        world.as_(OWNER).post(world.path(f"carts/{cart['bucket']}/{cart['id']}/addresses"))
    (record,) = [record for record in caplog.records if record.message == "address_revealed"]
    assert record.facts["cart"] == str(cart["id"])  # type: ignore[attr-defined]
    assert "@" not in str(record.facts)  # type: ignore[attr-defined]


@pytest.mark.writes
def test_nothing_that_a_shop_or_shopper_typed_becomes_markup(world: World, seeded: Seeded) -> None:
    rows, now = Rows(world.shop, world.context), world.clock.now()
    for number, text in enumerate(POLYGLOTS):
        shopper = rows.shopper(text, text, f"x{number}@mail.example", now, country=text[:2], customer_key=text)
        item = {"product_key": text, "sku": text, "variant": text, "title": text, "unit_cents": 100, "quantity": 1}
        items = [{**item, "url": url, "image_url": url} for url in [text, *BAD_URLS]]
        cart = rows.cart(
            f"evil-{number}-{text}", now - timedelta(minutes=5), items, recover_url=text, visitor_key=text,
            shopper_bucket=shopper["bucket"], shopper_id=shopper["id"],
        )  # fmt: skip
        rows.told(cart, "other", text, now)
        rows.decided(
            cart["bucket"],
            now,
            "may_send",
            "deny",
            "OPTED_OUT",
            cart_id=cart["id"],
            step=text[:40],
            evidence={text: text},
        )
        rows.write(world.connection)
        cart = next(found for found in rows_of(world, "carts") if found["cart_key"] == f"evil-{number}-{text}")
        for answer in (page(world, cart, OWNER), world.as_(OWNER).get(world.path("carts/")).text):
            tags = re.findall(r"<[a-zA-Z][^>]*>", answer)
            assert not [tag for tag in tags if re.search(r"\son[a-z]+\s*=", re.sub(r'"[^"]*"', '""', tag), re.I)]
            assert len(re.findall(r"<script", answer)) == 2  # theme.js and dashboard.js
            for attribute, url in re.findall(r'(?:\s)(href|src|action)="([^"]*)"', answer):
                assert re.match(r"(https?://|/|#|\?)", unescape(url)), (attribute, url)
            assert "49" not in re.findall(r"rk-item-text\">([^<]*)", answer)


def test_pictures_leak_no_address_of_ours(world: World, seeded: Seeded) -> None:
    for tag in re.findall(r"<img[^>]*>", page(world, seeded.story)):
        assert 'referrerpolicy="no-referrer"' in tag


def test_a_cart_that_was_never_decided_on_says_when_it_will_be(world: World, seeded: Seeded) -> None:
    cart = next(cart for cart in rows_of(world, "carts") if cart["state"] == "open")
    assert "Nothing was decided yet" in page(world, cart)


@pytest.mark.parametrize("rest", ["carts/0/00000000-0000-0000-0000-000000000000/", "carts/99999/x/", "carts/2000/%s/"])
def test_a_cart_that_is_not_there_is_404(world: World, seeded: Seeded, rest: str) -> None:
    path = rest % seeded.story["id"] if "%s" in rest else rest
    assert world.as_(VIEWER).get(world.path(path)).status_code == 404


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"channel": "email", "sent": 6, "clicked": 0, "score": 0.038}, "email: clicked 0 of 6, scores 0.038"),
        ({"channel": "sms", "sent": 3, "clicked": 2, "score": 0.13, "wish": True}, "sms: asked for, clicked 2 of 3, scores 0.13"),
        ({"channel": "push", "obstacle": "NO_ADDRESS"}, "push: not possible (NO_ADDRESS)"),
        ({"channel": "email"}, "email: possible"),
    ],
)  # fmt: skip
def test_a_choice_of_channel_is_shown_in_plain_counts(option: dict[str, object], words: str) -> None:
    assert option_words(option) == words
