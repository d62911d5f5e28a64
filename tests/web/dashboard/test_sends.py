"""Does the list of sends show each one's state, the doubtful ones first, and let a person decide once?"""

from __future__ import annotations

from typing import Any

import pytest

from rekindle.terms.reasons import Reason
from tests.web.dashboard.test_overview import rows_of
from tests.web.seed import Seeded
from tests.web.world import World

pytestmark = pytest.mark.only_reads

MARKETER, VIEWER = "marketer@fernweh.example", "viewer@fernweh.example"


def shown(world: World, query: str) -> dict[Any, str]:
    """Send id -> state, over all pages of a list."""
    client, found, after = world.as_(VIEWER), {}, ""
    while True:
        answer = client.get(world.path(f"sends/{query}{after}"))
        found |= {row.send.id: row.state for row in answer.context["rows"]}
        place = answer.context["next_place"]
        if not place:
            return found
        after = f"&after={place}"


@pytest.mark.parametrize("world", [1, 1024], indirect=True, ids=["spread1", "spread1024"])
def test_all_sends_are_listed_once_with_their_state(world: World, seeded: Seeded) -> None:
    waiting = {row["id"]: row["state"] for row in rows_of(world, "outbox")}
    kinds: dict[Any, set[str]] = {}
    for event in rows_of(world, "send_events"):
        kinds.setdefault(event["send_id"], set()).add(event["kind"])
    expected = {}
    for send in rows_of(world, "sends"):
        told = kinds.get(send["id"], set())
        final = next((kind for kind in ("bounced", "handed_over", "failed", "skipped") if kind in told), "unknown")
        expected[send["id"]] = waiting.get(send["id"], final)
    assert shown(world, "?state=all") == expected
    assert set(expected.values()) >= {"handed_over", "skipped", "failed", "uncertain", "scheduled"}
    for state, states in {
        "uncertain": {"uncertain"},
        "waiting": {"scheduled"},
        "sent": {"handed_over"},
        "failed": {"failed"},
        "skipped": {"skipped"},
    }.items():
        assert shown(world, f"?state={state}") == {i: s for i, s in expected.items() if s in states}, state


def test_what_was_not_sent_says_why(world: World, seeded: Seeded) -> None:
    answer = world.as_(VIEWER).get(world.path("sends/?state=skipped"))
    for row in answer.context["rows"]:
        assert Reason[row.reason].sentence in answer.text


def test_uncertain_sends_stand_first_and_a_viewer_cannot_decide(world: World, seeded: Seeded) -> None:
    assert seeded.uncertain
    text = world.as_(VIEWER).get(world.path("sends/")).text
    assert text.index("uncertain: nobody knows") < text.index('aria-label="Which sends"')
    page = world.path("sends/open/")
    assert "It went out" not in world.as_(VIEWER).get(page).text
    text = world.as_(MARKETER).get(page).text
    assert text.count("gets it twice") == text.count("It went out") == len(seeded.uncertain)
    for send in seeded.uncertain:
        assert f"{send['id']}@rekindle.example" in text


@pytest.mark.writes
@pytest.mark.parametrize(
    ("choice", "state", "kind"),
    [
        ("mark_as_sent", "handed_over", "handed_over"),
        ("give_up", "failed", "failed"),
        ("send_again", "resent", "resent"),
    ],
)
def test_a_decision_is_carried_out_once_and_kept_with_its_name(
    world: World, seeded: Seeded, choice: str, state: str, kind: str
) -> None:
    send = seeded.uncertain[0]
    client = world.as_(MARKETER)
    path = world.path(f"sends/{send['bucket']}/{send['id']}/settle")
    assert client.post(path, {"choice": "perhaps"}).status_code == 400
    assert client.post(path, {"choice": choice}).status_code == 302
    told = [e for e in rows_of(world, "send_events") if e["send_id"] == send["id"] and e["reason"] == "OPERATOR"]
    assert [(event["kind"], event["detail"]["by"]) for event in told] == [(kind, MARKETER)]
    assert shown(world, "?state=all")[send["id"]] == state
    again = client.post(path, {"choice": choice}, follow=True)
    assert "not open any more" in again.text
    assert len([e for e in rows_of(world, "send_events") if e["send_id"] == send["id"]]) == 2
    cart = world.as_(MARKETER).get(world.path(f"carts/{send['cart_bucket']}/{send['cart_id']}/"))
    assert "An operator decided." in cart.text
    assert MARKETER in cart.text


@pytest.mark.writes
def test_pausing_and_resuming_is_seen_on_every_page(world: World, seeded: Seeded) -> None:
    client = world.as_(MARKETER)
    client.post(world.path("sends/pause"))
    assert "Sending is paused." in client.get(world.path("carts/")).text
    assert world.connection.execute("SELECT sending_paused FROM shops WHERE id = %s", [world.shop.id]).fetchone() == (
        True,
    )
    assert "Resume sending" not in world.as_(VIEWER).get(world.path("carts/")).text
    client.post(world.path("sends/resume"))
    assert "Sending is paused." not in client.get(world.path("carts/")).text


def test_an_odd_address_bar_shows_the_whole_list(world: World, seeded: Seeded) -> None:
    for query in ("?state=x' OR 1=1", "?after=zzz", "?step=%00"):
        assert world.as_(VIEWER).get(world.path(f"sends/{query}")).status_code == 200
