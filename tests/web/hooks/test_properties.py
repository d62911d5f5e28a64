"""Whatever is reported, however often and in whatever order: the same end, no error, and a no that stays a no."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rekindle.policy.send_state import send_state
from rekindle.terms.send import SendEventKind, SendState
from tests.providers.signed_reports import Told, report, sign_sendgrid

from .hooked import ask
from .scene import World, put_waiting

WHATS = (
    "queued",
    "delivered",
    "deferred",
    "bounced",
    "full",
    "complained",
    "unsubscribed",
    "opened",
    "clicked",
    "failed",
    "unheard",
)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
STORIES = st.lists(st.tuples(st.sampled_from(WHATS), st.integers(0, 3)), min_size=1, max_size=12)


@pytest.fixture
def spread() -> int:
    return 1


def told(world: World, what: str, minute: int) -> Told:
    account_free = Told(what, url="https://fernweh.example/about", at=world.now + timedelta(minutes=minute))
    sent = world.sent["email"]
    return replace(account_free, send=f"{sent.bucket}-{sent.id}")


def end_of(world: World, batches: list[list[Told]], name: str) -> Any:
    """Everything that is left after these batches, on a clean slate."""
    account = world.account("sendgrid", key="property")
    with world.connection.transaction(force_rollback=True):
        put_waiting(world, state="uncertain")
        for number, batch in enumerate(batches):
            assert ask(account.path, report(account, batch, world.now, nonce=f"{name}{number}")).status == 200
        kinds = world.events()
        return kinds, world.suppressed, world.consents, len(world.state[3])


@QUICK
@given(story=STORIES, data=st.data())
def test_order_repetition_and_batches_do_not_matter(
    world: World, story: list[tuple[str, int]], data: st.DataObject
) -> None:
    events = [told(world, what, minute) for what, minute in story]
    once = end_of(world, [events], "a")
    shuffled = data.draw(st.permutations(events + events[: len(events) // 2]))
    cut = data.draw(st.integers(0, len(shuffled)))
    assert end_of(world, [batch for batch in (shuffled[:cut], shuffled[cut:]) if batch], "b") == once
    kinds, suppressed, consents, waiting = once
    said = {what for what, _ in story}
    assert ("withdrawn" in consents.values()) == bool(said & {"complained", "unsubscribed"})
    assert bool(suppressed) == bool(said & {"bounced", "complained", "unsubscribed"})
    assert waiting == (0 if said - {"unheard"} else 1), "a doubt ends by whatever speaks of the message"
    state = send_state(None, [SendEventKind(kind) for kind in kinds])
    if said & {"bounced", "full"}:
        assert state is SendState.BOUNCED
    elif "delivered" in said:
        assert state is SendState.DELIVERED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["event", "email", "timestamp", "sg_event_id", "send_id", "reason", "status", "type", "url", "sg_message_id", "x"]
    ), inner, max_size=6),
    max_leaves=12,
)  # fmt: skip


@QUICK
@given(event=st.dictionaries(
    st.sampled_from(["event", "email", "timestamp", "sg_event_id", "reason", "status", "type", "url", "sg_message_id"]),
    JSON, max_size=9,
), kind=st.sampled_from(["delivered", "bounce", "open", "click", "spamreport", "dropped"]))  # fmt: skip
def test_no_signed_event_however_odd_is_an_error_of_ours(world: World, event: dict[str, Any], kind: str) -> None:
    account = world.account("sendgrid", key="property")
    sent = world.sent["email"]
    good = {"event": "delivered", "send_id": f"{sent.bucket}-{sent.id}", "timestamp": int(world.now.timestamp())}
    odd = {"event": kind, "send_id": f"{sent.bucket}-{sent.id}", **event}
    body = json.dumps([odd, good]).encode()
    with world.connection.transaction(force_rollback=True):
        status = ask(account.path, sign_sendgrid(account.key, body, world.now)).status
        assert status in {200, 400}, body
        if status == 200:
            assert "delivered" in world.events(), "a neighbour is not lost"
