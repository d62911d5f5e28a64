"""Can a person work with the dashboard: search, page, reveal, pause, switch, by mouse and by keyboard?"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Dialog, expect

from tests.browser.conftest import stand_still
from tests.browser.dashboard.conftest import SignIn
from tests.web.dashboard.test_cart import BAD_URLS, POLYGLOTS
from tests.web.dashboard.test_overview import rows_of
from tests.web.seed import Seeded
from tests.web.seed_rows import Rows
from tests.web.world import World

pytestmark = pytest.mark.only_reads

OWNER = "owner@fernweh.example"


def test_filtering_changes_the_list_and_the_address_without_a_new_page(
    world: World, seeded: Seeded, site: str, sign_in: SignIn
) -> None:
    page = sign_in(OWNER)
    page.goto(f"{site}{world.path('carts/')}")
    page.evaluate("window.sameDocument = true")
    page.select_option("#rk-state", "recovered")
    expect(page).to_have_url(re.compile(r"carts/\?state=recovered$"))
    expect(page.locator("#rk-list tbody tr").first).to_contain_text("Recovered")
    recovered = sum(cart["state"] == "recovered" for cart in rows_of(world, "carts"))
    expect(page.locator("#rk-list tbody tr")).to_have_count(recovered)
    page.fill("#rk-search", seeded.story["cart_key"])
    expect(page.locator("#rk-list tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(rf"q={seeded.story['cart_key']}&state=recovered$"))
    assert page.evaluate("window.sameDocument")
    page.reload()
    expect(page.locator("#rk-list tbody tr")).to_have_count(1)
    expect(page.locator("#rk-search")).to_have_value(seeded.story["cart_key"])


def test_show_more_adds_rows_until_all_are_there(world: World, seeded: Seeded, site: str, sign_in: SignIn) -> None:
    page = sign_in(OWNER)
    page.goto(f"{site}{world.path('carts/?state=abandoned')}")
    rows = page.locator("#rk-list tbody tr:not(.rk-more)")
    seen = rows.count()
    expect(rows).to_have_count(40)
    while page.locator(".rk-more a").count():
        page.locator(".rk-more a").click()
        expect(rows).not_to_have_count(seen)
        seen = rows.count()
    assert seen == sum(cart["state"] == "abandoned" for cart in rows_of(world, "carts"))


def test_an_address_is_revealed_in_place(world: World, seeded: Seeded, site: str, sign_in: SignIn) -> None:
    page = sign_in(OWNER)
    cart = seeded.story
    (address,) = [r["address"] for r in rows_of(world, "contact_points") if r["shopper_id"] == cart["shopper_id"]]
    page.goto(site + world.path(f"carts/{cart['bucket']}/{cart['id']}/"))
    expect(page.get_by_text(address)).to_have_count(0)
    page.get_by_role("button", name="Show in full").click()
    expect(page.get_by_text(address)).to_be_visible()


def test_pausing_asks_first_and_resuming_is_one_click(world: World, site: str, sign_in: SignIn) -> None:
    page = sign_in(OWNER)
    page.goto(f"{site}{world.path('sends/')}")
    page.get_by_role("button", name="Pause sending").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Pause sending").click()
    dialog.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("Sending is paused.")).to_be_visible()
    page.get_by_role("button", name="Resume sending").click()
    expect(page.get_by_text("Sending goes on.")).to_be_visible()


def test_the_menu_works_on_a_phone_and_by_keyboard(world: World, seeded: Seeded, site: str, sign_in: SignIn) -> None:
    page = sign_in(OWNER, width=390, height=800)
    menu = page.get_by_role("button", name="Menu")
    expect(page.get_by_role("link", name="Carts")).to_be_hidden()
    menu.focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Carts").click()
    expect(page.get_by_role("heading", name="Carts", level=1)).to_be_visible()
    page.wait_for_load_state()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()


def test_colours_are_chosen_and_kept(world: World, site: str, sign_in: SignIn) -> None:
    page = sign_in(OWNER)
    button = page.locator("[data-theme-toggle]")
    seen = []
    for _ in range(3):
        button.click()
        seen.append(page.evaluate("document.documentElement.dataset.bsTheme"))
    assert set(seen) == {"light", "dark"}
    button.click()
    chosen = page.evaluate("document.documentElement.dataset.bsTheme")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.bsTheme") == chosen


def test_several_shops_are_switched_in_the_side_bar(world: World, site: str, sign_in: SignIn) -> None:
    page = sign_in("both@kaffee.example")
    page.get_by_role("button", name="Fernweh Outdoor").click()
    page.get_by_role("link", name="Kaffee Kontor").click()
    expect(page).to_have_url(f"{site}{world.path(shop=world.other)}")


@pytest.mark.writes
def test_hostile_carts_run_nothing(world: World, seeded: Seeded, site: str, sign_in: SignIn) -> None:
    """Check S-06 in a real browser: no dialog opens and the content policy has nothing to stop."""
    rows, now = Rows(world.shop, world.context), world.clock.now()
    paths = []
    for number, text in enumerate(POLYGLOTS):
        shopper = rows.shopper(text, text, f"x{number}@mail.example", now)
        item = {"product_key": text, "variant": text, "title": text, "unit_cents": 100, "quantity": 1}
        items = [{**item, "url": url, "image_url": url} for url in BAD_URLS if not url.startswith("https:")]
        cart = rows.cart(
            f"evil-{number}", now - timedelta(minutes=5), items,
            shopper_bucket=shopper["bucket"], shopper_id=shopper["id"],
        )  # fmt: skip
        rows.told(cart, "other", text, now)
        rows.decided(cart["bucket"], now, "may_send", "deny", "OPTED_OUT", cart_id=cart["id"], evidence={text: text})
        paths.append(world.path(f"carts/{cart['bucket']}/{cart['id']}/"))
    rows.write(world.connection)
    page = sign_in(OWNER)
    opened: list[str] = []

    def note(dialog: Dialog) -> None:
        opened.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    for path in [*paths, world.path("carts/"), world.path("?period=today"), world.path("flows/")]:
        page.goto(f"{site}{path}")
        stand_still(page)
    assert opened == []
