"""Can a shopper leave and choose on a phone, by keyboard alone, in their language; and does a checker find no barrier?

The pages are those of the whole product over a real database; axe-core is a locked development package.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from rekindle.simulate.serve_wsgi import Site
from rekindle.store.database import Connection
from rekindle.web.public.preference_words import PREFERENCE_WORDS
from rekindle.web.public.words import Words
from rekindle.web.routes import handler_for
from rekindle.web.under_wsgi import dispatcher
from tests.browser.conftest import Open, fits
from tests.engine.scene import put_cart, put_shopper, rows
from tests.web.sent import put_send
from tests.web.world import World, grounds, seeded, world

__all__ = ["grounds", "seeded", "world"]

#: Playwright's synchronous interface runs a loop in the test's thread, which Django would take for its own.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
AXE = Path(__file__).parents[2] / "frontend/node_modules/axe-core/axe.min.js"
SHOTS = os.environ.get("REKINDLE_SHOTS")
LANGUAGES = ("en", "de", "pl")
PHONE = {"width": 390, "height": 800}


@dataclass(frozen=True)
class Letters:
    """A shopper's letter, one a language: the token in its way out."""

    url: str
    connection: Connection
    shopper_id: object
    token: str


@pytest.fixture
def letter(world: World) -> Iterator[Letters]:
    from django.core.wsgi import get_wsgi_application

    connection, context, shop = world.connection, world.context, world.shop
    shopper = put_shopper(connection, context, shop)
    cart = put_cart(connection, context, shop, shopper)
    sent = put_send(
        connection, shop, shopper=(shopper.bucket, shopper.id), cart=(cart.bucket, cart.id), at=context.clock.now()
    )
    site = Site(dispatcher(handler_for, get_wsgi_application())).start()
    yield Letters(site.url, connection, shopper.id, sent.optout)
    site.stop()


def look(page: Page, name: str) -> None:
    """It fits, and no rule of WCAG 2.2 AA that a machine can check is broken."""
    page.wait_for_load_state()
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
    assert fits(page), f"{name} is wider than the phone"
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run make setup-dev")
    found = page.evaluate(
        "async (source) => { new Function(source)(); const told = await axe.run(document, {runOnly:"
        " ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']});"
        " return told.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(' ')}`); }",
        AXE.read_text("utf-8"),
    )
    assert found == [], name


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of this name has the focus. Fails when it cannot be reached."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if (
            page.evaluate("(document.activeElement.closest('label') ?? document.activeElement).innerText.trim()")
            == name
        ):
            return
    raise AssertionError(f"{name} is not reached by Tab")


@pytest.mark.parametrize("language", LANGUAGES)
def test_choosing_and_leaving_by_keyboard(letter: Letters, open_page: Open, language: str) -> None:
    say, words = PREFERENCE_WORDS[language], Words(language)
    letter.connection.execute("UPDATE sends SET context = jsonb_build_object('locale', %s::text)", [language])
    page = open_page(**PHONE, bypass_csp=True, locale=language)
    page.goto(f"{letter.url}/p/{letter.token}")
    expect(page.locator("html")).to_have_attribute("lang", language)
    look(page, f"preferences-{language}")
    tab_to(page, say["decline"])
    page.keyboard.press("Space")
    tab_to(page, say["as_planned"])
    page.keyboard.press("ArrowDown")
    tab_to(page, say["about_browse"])
    page.keyboard.press("Space")
    tab_to(page, say["save"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text(say["saved"])
    look(page, f"preferences-saved-{language}")
    kept = rows(letter.connection, "SELECT preferences FROM shoppers WHERE id = %s", letter.shopper_id)[0][
        "preferences"
    ]
    assert isinstance(kept, dict)
    assert (kept["per_week"], kept["off"], len(kept["declined"])) == (1, ["browse"], 1)

    tab_to(page, say["stop_all"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(words("optout_title"))
    look(page, f"optout-{language}")
    tab_to(page, words("optout_button"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(words("done_title"))
    look(page, f"optout-done-{language}")
    consents = rows(letter.connection, "SELECT consent FROM contact_points WHERE shopper_id = %s", letter.shopper_id)
    assert {row["consent"] for row in consents} == {"withdrawn"}


def test_a_wrong_link_is_readable_too(letter: Letters, open_page: Open) -> None:
    page = open_page(**PHONE, bypass_csp=True, quiet=True)
    page.goto(f"{letter.url}/p/{'A' * 46}")
    look(page, "preferences-gone")
