"""Can a person read received mail in the demo inbox, and can the mail do nothing else?"""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from playwright.sync_api import expect

from rekindle.simulate.inbox.inbox import Inbox
from tests.browser.conftest import Open, fits

HOSTILE = """<html><head><title>x</title></head><body><h1>Your cart</h1><a href="{link}">Back to my cart</a>
<script>document.title = "taken over"; document.body.innerHTML = "taken over"</script>
<form action="{link}"><button>send</button></form><iframe src="{link}"></iframe></body></html>"""


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    running = Inbox().start()
    yield running
    running.stop()


def send(inbox: Inbox, subject: str, html: str = "") -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Shop <shop@example.com>", "ada@example.com", subject
    mail.set_content("Your cart waits.")
    if html:
        mail.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port) as smtp:
        smtp.send_message(mail)


@pytest.mark.parametrize("width", [390, 1280])
def test_mail_appears_by_itself_and_can_be_read(inbox: Inbox, open_page: Open, width: int) -> None:
    page = open_page(width=width)
    page.goto(inbox.url)
    expect(page.get_by_text("Nothing has arrived yet.")).to_be_visible()
    send(inbox, "You <b>left</b> something")
    page.get_by_role("link", name="You <b>left</b> something").click()
    expect(page.get_by_role("heading", name="You <b>left</b> something")).to_be_visible()
    expect(page.get_by_text("Your cart waits.").last).to_be_visible()
    page.get_by_role("link", name="Headers").click()
    expect(page.get_by_role("row", name="Subject")).to_be_visible()
    assert fits(page)


def test_a_mail_runs_no_script_and_opens_its_links_elsewhere(inbox: Inbox, open_page: Open) -> None:
    page = open_page(quiet=True)  # the browser reports what it blocked
    link = f"{inbox.url}/messages/1?view=text"
    send(inbox, "Hostile", HOSTILE.format(link=link))
    page.goto(f"{inbox.url}/messages/1")
    frame = page.frame_locator("#mail")
    expect(frame.get_by_role("heading", name="Your cart")).to_be_visible()
    assert page.title() == "Hostile · Inbox"
    assert frame.locator("body").get_by_text("taken over").count() == 0
    with page.context.expect_page() as opened:
        frame.get_by_role("link", name="Back to my cart").click()
    opened.value.wait_for_url("**view=text")
    assert page.url == f"{inbox.url}/messages/1"
    assert [sub.url for sub in page.main_frame.child_frames[0].child_frames] in ([], ["chrome-error://chromewebdata/"])
