"""Does the page of replies show what waits for a person, and is a decision carried out once?"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rekindle.engine.feedback import Source, apply_feedback
from rekindle.providers.feedback import Feedback, FeedbackKind
from rekindle.store.replies import replies_waiting
from rekindle.terms.send import Channel
from tests.web.dashboard.test_overview import rows_of
from tests.web.seed import Seeded
from tests.web.world import World

MARKETER, VIEWER = "marketer@fernweh.example", "viewer@fernweh.example"


@dataclass(frozen=True)
class Reply:
    path: str


@pytest.fixture
def reply(world: World, seeded: Seeded) -> Reply:
    """Somebody wrote what may be a no."""
    row = world.connection.execute(
        "INSERT INTO provider_accounts (shop_id, channel, kind, name, options, secret, position, enabled, paused_reason)"
        " VALUES (%s, 'sms', 'twilio', 'Texts', '{}', '', 0, true, '') RETURNING id",
        [world.shop.id],
    ).fetchone()
    assert row is not None
    source = Source(shop=world.shop, channel=Channel.SMS, name="twilio", account_id=row[0])
    told = [
        Feedback(
            kind=FeedbackKind.REPLIED, name="received", event_id="SM1", at=world.context.clock.now(),
            address="+4915112345678", text="<b>is this spam?</b>",
        ),
        Feedback(kind=FeedbackKind.OTHER, name="teleported", event_id="x", at=world.context.clock.now()),
    ]  # fmt: skip
    apply_feedback(world.connection, world.context, source, told)
    from rekindle.store.buckets import buckets_of

    (one,) = replies_waiting(world.connection, buckets_of(world.shop), world.shop.id, 5)
    return Reply(f"replies/{one.bucket}/{one.id}")


def test_a_marketer_reads_and_decides_once(world: World, reply: Reply) -> None:
    client = world.as_(MARKETER)
    page = client.get(world.path("replies/")).text
    assert "&lt;b&gt;is this spam?&lt;/b&gt;" in page
    assert "teleported" in page
    assert 'rk-count-bad">1<' in client.get(world.path("sends/")).text
    assert client.post(world.path(reply.path), {"choice": "maybe"}).status_code == 400
    assert client.post(world.path(reply.path), {"choice": "stop"}).status_code == 302
    assert [row["reason"] for row in rows_of(world, "suppressions") if row["channel"] == "sms"] == ["unsubscribed"]
    again = client.post(world.path(reply.path), {"choice": "nothing"}, follow=True)
    assert "Somebody has decided" in again.text
    assert [row["reason"] for row in rows_of(world, "suppressions") if row["channel"] == "sms"] == ["unsubscribed"]


def test_a_viewer_reads_and_does_not_decide(world: World, reply: Reply) -> None:
    client = world.as_(VIEWER)
    page = client.get(world.path("replies/")).text
    assert "is this spam?" in page
    assert "They want out" not in page
    assert client.post(world.path(reply.path), {"choice": "stop"}).status_code == 403
