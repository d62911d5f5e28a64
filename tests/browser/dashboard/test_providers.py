"""Does an owner get from no account to a message that arrived, and from an uncertain send to a decision?"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from rekindle.simulate.inbox.inbox import Inbox
from tests.browser.conftest import fits
from tests.browser.dashboard.conftest import SignIn
from tests.web.dashboard.test_overview import rows_of
from tests.web.seed import Seeded
from tests.web.world import World


@pytest.mark.parametrize("width", [1280, 390])
def test_an_account_is_added_tried_and_reordered(
    world: World, seeded: Seeded, site: str, sign_in: SignIn, width: int
) -> None:
    inbox = Inbox().start()
    try:
        page = sign_in("owner@fernweh.example", width=width, height=900)
        for name, port in (("First", 9), ("Second", inbox.smtp_port)):
            page.goto(f"{site}{world.path('accounts/')}")
            page.get_by_role("link", name="SMTP server").click()
            page.get_by_label("Name", exact=True).fill(name)
            page.get_by_label("Server").fill("127.0.0.1")
            page.get_by_label("Port").fill(str(port))
            page.get_by_label("Encryption").select_option("none")
            page.get_by_role("button", name="Add the account").click()
            expect(page.get_by_role("heading", name=name)).to_be_visible()
        page.get_by_label("Send the first message of the flow to").fill("me@fernweh.example")
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_text("The provider took the message")).to_be_visible()
        (letter,) = inbox.wait_for(timeout_s=60)
    finally:
        inbox.stop()
    assert letter.recipients == ("me@fernweh.example",)
    assert fits(page)
    page.goto(f"{site}{world.path('accounts/')}")
    page.get_by_role("button", name="Second: earlier").click()
    expect(page.locator("tbody a strong")).to_have_text(["Second", "First"])
    assert fits(page)


def test_an_uncertain_send_is_decided_after_a_warning(world: World, seeded: Seeded, site: str, sign_in: SignIn) -> None:
    page = sign_in("marketer@fernweh.example", width=1280, height=900)
    page.get_by_role("link", name="uncertain send").first.click()
    before = len(rows_of(world, "sends"))
    page.get_by_role("button", name="It did not: send again…").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("gets it twice")).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert len(rows_of(world, "sends")) == before
    page.get_by_role("button", name="It did not: send again…").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Send again").click()
    expect(page.get_by_text("A new message takes its place")).to_be_visible()
    assert len(rows_of(world, "sends")) == before + 1
