"""Can a request about personal data be taken in and answered at phone width, and does each of its pages fit?"""

from __future__ import annotations

import pytest

from rekindle.engine.privacy.export import make_files
from rekindle.engine.privacy.record import Asked, record_request
from rekindle.engine.privacy.steps import Taken, take_step
from rekindle.terms.privacy_request import RequestKind, Step
from tests.browser.conftest import fits
from tests.browser.dashboard.conftest import SignIn
from tests.web.dashboard.test_overview import rows_of
from tests.web.world import World

OWNER = "owner@fernweh.example"


@pytest.mark.parametrize("width", [1280, 390])
def test_a_request_is_written_down_and_answered(world: World, site: str, sign_in: SignIn, width: int) -> None:
    page = sign_in(OWNER, width=width)
    page.goto(f"{site}{world.path('privacy/')}")
    assert fits(page)
    page.get_by_role("button", name="A request came in").click()
    page.get_by_label("What is asked for").select_option("objection")
    page.get_by_label("E-mail address of the person").fill("ada@example.com")
    page.get_by_label("In their words").fill("No more, please.")
    page.get_by_role("button", name="Write it down").click()
    page.wait_for_url("**/privacy/*-*/")
    assert fits(page)
    page.get_by_role("button", name="Stop everything").click()
    page.get_by_text("Nothing is sent to the person any more").wait_for()
    assert {row["reason"] for row in rows_of(world, "suppressions")} == {"unsubscribed"}


def test_every_kind_of_page_fits_a_phone(world: World, site: str, sign_in: SignIn) -> None:
    page = sign_in(OWNER, width=390)
    for kind in RequestKind:
        asked = Asked(kind=kind, source="dashboard", email=f"{'long' * 12}@example.com", is_verified=True)
        request = record_request(world.connection, world.context, world.shop, asked)
        if kind is RequestKind.ACCESS:
            taken = Taken(step=Step.EXPORT, by=OWNER)
            take_step(world.connection, world.context, world.shop, request.id, taken)
            assert make_files(world.connection, world.context) == 1
        page.goto(f"{site}{world.path(f'privacy/{request.id}/')}")
        assert fits(page), kind
    page.goto(f"{site}{world.path('privacy/?state=all')}")
    assert fits(page)
