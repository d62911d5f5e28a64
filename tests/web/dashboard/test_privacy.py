"""Do the pages of requests about personal data show what is due, and let an owner, and nobody else, answer?"""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import pytest

from rekindle.engine.privacy.escalate import escalate_shop
from rekindle.engine.privacy.export import make_files
from tests.web.dashboard.test_overview import rows_of
from tests.web.world import World

OWNER, MARKETER, VIEWER = "owner@fernweh.example", "marketer@fernweh.example", "viewer@fernweh.example"
ADA = "ada.privacy@example.com"


def write_down(world: World, **form: str) -> str:
    """The path of a request's page."""
    answer = world.as_(OWNER).post(world.path("privacy/new"), {"kind": "access", "email": ADA} | form)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


@pytest.mark.usefixtures("seeded")
def test_an_owner_writes_a_request_down_and_answers_it(world: World) -> None:
    client = world.as_(OWNER)
    path = write_down(world, kind="objection", note="<i>stop</i> it", country="fr")
    page = client.get(path).text
    assert ADA not in page
    assert ADA in client.post(f"{path}address").text
    assert "&lt;i&gt;stop&lt;/i&gt; it" in page
    assert "Objection to marketing" in page
    assert "Refuse" not in page
    assert ">1<" in client.get(world.path("privacy/")).text  # in the navigation
    assert client.post(f"{path}step", {"choice": "dance"}).status_code == 400
    assert client.post(f"{path}step", {"choice": "erase"}).status_code == 422
    assert client.post(f"{path}step", {"choice": "object"}).status_code == 302
    assert {row["reason"] for row in rows_of(world, "suppressions")} == {"unsubscribed"}
    assert "No request is in this list" in client.get(world.path("privacy/")).text
    assert "Answered" in client.get(world.path("privacy/?state=closed&kind=objection")).text
    assert "No request is in this list" in client.get(world.path("privacy/?state=all&kind=access")).text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"kind": "dance"}, "Choose what is asked for"),
        ({"email": ""}, "Give the e-mail address"),
        ({"email": "nobody"}, "needs one @"),
        ({"received_on": "yesterday"}, "must look like"),
        ({"received_on": "2031-01-01"}, "in the future"),
    ],
)
def test_what_cannot_be_a_request_is_said_so(world: World, form: dict[str, str], said: str) -> None:
    answer = world.as_(OWNER).post(world.path("privacy/new"), {"kind": "access", "email": ADA} | form)
    assert answer.status_code == 422
    assert said in answer.text
    assert rows_of(world, "privacy_requests") == []


def test_others_see_no_address_and_may_do_nothing(world: World) -> None:
    path = write_down(world, note="private words")
    for account in (MARKETER, VIEWER):
        client = world.as_(account)
        for page in (client.get(world.path("privacy/")).text, client.get(path).text):
            assert "a***@example.com" in page
            assert ADA not in page
            assert "private words" not in page
            assert "Erase" not in page
        assert client.post(f"{path}step", {"choice": "verify"}).status_code == 403
        assert client.post(f"{path}address").status_code == 403
        assert client.post(world.path("privacy/new"), {"kind": "access", "email": ADA}).status_code == 403


def test_what_waits_for_long_stands_on_every_page_until_it_is_answered(world: World) -> None:
    path = write_down(world, country="AT")
    client = world.as_(OWNER)
    assert "need an answer" not in client.get(world.path()).text
    world.clock.advance(timedelta(days=21))
    escalate_shop(world.connection, world.context, world.shop)
    assert "1 request about personal data has waited for long" in client.get(world.path()).text
    world.clock.advance(timedelta(days=10))
    assert "past its legal date" in client.get(world.path("accounts/")).text
    client.post(f"{path}step", {"choice": "refuse", "text": "could not be verified"})
    assert "about personal data" not in client.get(world.path()).text


def test_an_owner_takes_the_file_once_and_nobody_else_does(world: World) -> None:
    path = write_down(world)
    client = world.as_(OWNER)
    for choice in ("verify", "export"):
        assert client.post(f"{path}step", {"choice": choice}).status_code == 302
    assert "Being made" in client.get(path).text
    assert make_files(world.connection, world.context) == 1
    page = client.get(path).text
    assert "can be taken once" in page
    (export,) = rows_of(world, "subject_exports")
    url = world.path(f"privacy/files/{export['id']}")
    assert client.get(url).status_code == 405
    assert world.as_(MARKETER).post(url).status_code == 403
    taken = client.post(url)
    assert (taken.status_code, taken.headers["Content-Type"]) == (200, "application/zip")
    assert zipfile.ZipFile(io.BytesIO(taken.content)).namelist() == ["data.json", "manifest.json"]
    assert client.post(url).status_code == 410
    assert "Taken" in client.get(path).text


def test_an_owner_corrects_what_is_wrong(world: World) -> None:
    path = write_down(world, kind="correction")
    client = world.as_(OWNER)
    client.post(f"{path}step", {"choice": "verify"})
    answer = client.post(f"{path}step", {"choice": "correct", "first_name": "Ada"})
    assert (answer.status_code, "Nobody with this address" in answer.text) == (422, True)
