"""Does every page of the dashboard show itself whole, without an error, in both colours, on a desk and in a hand?

`open_page` fails a test whose browser complains of anything: scripts, network, content policy.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

from rekindle.engine.accounts import SmtpAccount, save_smtp_account
from rekindle.engine.audit_log import note
from rekindle.engine.templates import save_sms_template
from rekindle.render.defaults.sms import default_sms
from rekindle.terms.log_entry import Deed
from tests.browser.conftest import Open, fits, stand_still
from tests.browser.dashboard.conftest import SignIn
from tests.web.dashboard.test_overview import rows_of
from tests.web.dashboard.test_templates import version_of
from tests.web.seed import Seeded
from tests.web.world import World

pytestmark = pytest.mark.only_reads

SHOTS = os.environ.get("REKINDLE_SHOTS")  #: a folder that gets a picture of every page
SIZES = pytest.mark.parametrize("width", [1280, 390])


def pages_of(world: World, seeded: Seeded) -> dict[str, str]:
    story = seeded.story
    night = next(cart for cart in rows_of(world, "carts") if cart["cart_key"] == "c-night")
    return {
        "overview": world.path("?period=90"),
        "overview-today": world.path("?period=today"),
        "carts": world.path("carts/?state=abandoned&known=yes"),
        "carts-none": world.path("carts/?q=nothing"),
        "cart": world.path(f"carts/{story['bucket']}/{story['id']}/"),
        "cart-night": world.path(f"carts/{night['bucket']}/{night['id']}/"),
        "flow": world.path("flows/?period=90"),
        "templates": world.path("templates/"),
        "template": world.path(f"templates/{world.versions[0]}/"),
        "template-push": world.path(f"templates/{version_of(world, 'push')}/"),
        "template-sms": world.path(f"templates/{version_of(world, 'sms')}/"),
        "sends": world.path("sends/"),
        "sends-skipped": world.path("sends/?state=skipped"),
        "accounts": world.path("accounts/"),
        "account": world.path("accounts/1/"),
        "account-new": world.path("accounts/new/vonage"),
        "law": world.path("law/"),
        "law-of-cart": world.path(f"carts/{night['bucket']}/{night['id']}/law"),
        "domain": world.path("settings/domain"),
        "rules": world.path("law/rules/?channel=sms"),
        "rules-of-region": world.path("law/rules/DE/sms/"),
        "settings": world.path("settings/"),
        "log": world.path("log/"),
    }


def look(page: Page, name: str, width: int) -> None:
    """The page fits in both colours, and is kept as a picture where somebody asked for pictures."""
    for colours in ("light", "dark"):
        page.emulate_media(color_scheme=colours)  # type: ignore[arg-type]
        stand_still(page)
        assert page.evaluate("document.documentElement.dataset.bsTheme") == colours
        if SHOTS:
            page.wait_for_timeout(700)  # for the picture only: charts draw themselves in half a second
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{colours}.png", full_page=True)
        assert fits(page), f"{name} is wider than {width} px"


@pytest.mark.writes
@SIZES
def test_every_page_fits_and_complains_of_nothing(
    world: World, seeded: Seeded, site: str, sign_in: SignIn, width: int
) -> None:
    account = SmtpAccount(host="smtp.example.com", port=587, tls="starttls", username="fernweh", password="secret")
    save_smtp_account(world.connection, world.context, world.shop, account, account_id=None, by=1)
    where = (world.connection, world.context, world.shop)
    save_sms_template(*where, key="cart-sms", name="The cart by text", text=default_sms("en"))
    for action, facts in (
        ("reveal_address", {"route": "reveal"}),
        ("change_shop", {"changed": {"holdout_rate": [0.1, 0.2]}}),
    ):
        subject = f"bucket=597 cart_id={seeded.story['id']}"
        deed = Deed(actor="ada@fernweh.example", action=action, shop_id=world.shop.id, subject=subject, facts=facts)
        note(world.connection, world.context, deed)
    page = sign_in("owner@fernweh.example", width=width, height=900)
    for name, path in pages_of(world, seeded).items():
        page.goto(f"{site}{path}")
        look(page, name, width)


@SIZES
def test_the_doors_fit_too(world: World, site: str, sign_in: SignIn, open_page: Open, width: int) -> None:
    """Sign-in, a fresh installation, an empty shop, a paused shop, a role too small, no shop at all."""
    page = open_page(width=width, height=800)
    page.goto(f"{site}/login")
    look(page, "sign-in", width)
    page = sign_in("owner@fernweh.example", width=width)
    look(page, "first-steps", width)
    page.goto(f"{site}{world.path('carts/')}")
    look(page, "carts-empty", width)
    world.connection.execute("UPDATE shops SET sending_paused = true")
    page.goto(f"{site}{world.path('sends/')}")
    look(page, "sends-paused", width)
    world.connection.execute("UPDATE auth_user SET is_active = false")
    page = open_page(width=width, height=800)
    page.goto(f"{site}/login")
    look(page, "first-run", width)


def test_the_letter_is_seen_in_its_frame(world: World, seeded: Seeded, site: str, sign_in: SignIn) -> None:
    page = sign_in("viewer@fernweh.example")
    page.goto(f"{site}{world.path('flows/')}")
    page.get_by_text("Look at the e-mail").first.click()
    frame = page.frame_locator("iframe").first
    frame.get_by_text("Fernweh GmbH").first.wait_for()
    if SHOTS:
        page.wait_for_timeout(500)
        page.screenshot(path=Path(SHOTS) / "flow-preview-1280-light.png", full_page=True)
