"""What is written down with a consent, and what is it proven by? Wordings are kept as versions, marks need a witness."""

from __future__ import annotations

from typing import Any

import pytest

from rekindle.engine.configure import renew_secret_key
from rekindle.engine.context import Context
from rekindle.engine.wordings import WordingRefusedError, keep_wording
from rekindle.lib.clock import MovableClock
from rekindle.store.database import Connection
from rekindle.store.shops import SERVER_KEY_PREFIX, owner_of_key
from rekindle.store.wordings import kept_wordings
from rekindle.terms.consent import ConsentMarks, Wording
from rekindle.terms.event import ConsentGiven

from ..event_factory import identified, tell
from ..factories import make_shop
from .journey import HOURS, Journey

TEXT = "Yes, e-mail me about my cart."


@pytest.fixture
def journey(connection: Connection, context: Context, clock: MovableClock, spread: int) -> Journey:
    return Journey(connection, context, clock, make_shop(connection, spread=spread, holdout_rate=0))


def keep(journey: Journey, **changes: Any) -> Wording:
    plain = Wording("email", "en", "2026-03", TEXT, True, journey.clock.now() - HOURS)
    return keep_wording(journey.connection, journey.context, journey.shop, plain._replace(**changes), by="ada")


def agree(journey: Journey, *, hours: int = 0, **said: Any) -> tuple[str, dict[str, Any]]:
    """The wording and the evidence of the ledger's newest row after a consent."""
    consent = ConsentGiven(channel="email", granted=True, **said)
    tell(
        journey.connection,
        journey.context,
        journey.shop,
        identified(at=journey.clock.now() + hours * HOURS, consents=(consent,)),
    )
    rows = journey.read("consents", "seq, wording, evidence")
    return max(rows)[1:]


def test_a_consent_names_a_kept_version_and_is_proven_by_its_text(journey: Journey) -> None:
    keep(journey)
    keep(journey, language="de", text="Ja, schreibt mir.")
    receipt = {"form": "checkout", "page": "https://shop.example/checkout", "method": "checkbox"}
    trace = {"network": "203.0.113.0/24", "browser": "Firefox"}
    wording, evidence = agree(journey, version="2026-03", language="de", **receipt, **trace)
    assert wording == "Ja, schreibt mir."
    assert evidence.pop("message")
    assert evidence == {
        **receipt,
        **trace,
        "version": "2026-03",
        "language": "de",
        "is_kept": True,
        "mentions_cart": True,
    }
    assert journey.read("contact_points", "DISTINCT consent_wording, consent_names_carts") == [(wording, True)]


def test_a_text_that_is_kept_finds_its_version(journey: Journey) -> None:
    keep(journey, mentions_cart=False)
    wording, evidence = agree(journey, wording=f" {TEXT}\n", marks=ConsentMarks(mentions_cart=True))
    assert (wording, evidence["version"], evidence["language"]) == (TEXT, "2026-03", "en")
    assert "mentions_cart" not in evidence, "the kept text knows whether it names carts"


@pytest.mark.parametrize(
    "said",
    [{"version": "2099"}, {"version": "2026-03", "language": "fr"}, {"version": "2026-04", "language": "en"}],
    ids=["no such version", "not in this language", "not shown yet"],
)
def test_a_version_that_is_not_kept_proves_nothing(journey: Journey, said: dict[str, str]) -> None:
    keep(journey)
    keep(journey, version="2026-04", valid_from=journey.clock.now() + 9 * HOURS)
    wording, evidence = agree(journey, **said)
    assert wording == ""
    assert (evidence["version"], evidence["is_kept"]) == (said["version"], False)


def test_the_language_may_be_left_out_where_there_is_only_one(journey: Journey) -> None:
    keep(journey)
    assert agree(journey, version="2026-03")[0] == TEXT
    keep(journey, language="de")
    assert agree(journey, version="2026-03", hours=1)[0] == ""


def test_what_was_kept_is_never_changed(journey: Journey) -> None:
    keep(journey)
    for change in ({"text": "Other."}, {"mentions_cart": False}, {}):
        with pytest.raises(WordingRefusedError, match="stays as it is"):
            keep(journey, **change)
    assert [one.text for one in kept_wordings(journey.connection, journey.shop.id)] == [TEXT]
    for change, field in (({"version": ""}, "version"), ({"language": "German"}, "language"), ({"text": " "}, "text")):
        with pytest.raises(WordingRefusedError, match=field):
            keep(journey, **change)


def test_what_the_public_key_claims_is_kept_and_not_believed(journey: Journey) -> None:
    claimed = ConsentMarks(is_confirmed=True, is_written=True)
    _, evidence = agree(journey, wording="Yes.", claimed=claimed)
    assert evidence["claimed"] == ["is_confirmed", "is_written"]
    assert journey.read("contact_points", "DISTINCT consent_confirmed, consent_written") == [(False, False)]
    assert journey.read("consents", "source") == [("event",)]


def test_a_secret_key_is_another_key_and_ends_the_one_before(journey: Journey) -> None:
    connection, shop = journey.connection, journey.shop
    first = renew_secret_key(connection, journey.context, shop.id, by=1)
    second = renew_secret_key(connection, journey.context, shop.id, by=1)
    assert first.startswith(SERVER_KEY_PREFIX)
    assert first != second
    owner = owner_of_key(connection, second)
    assert owner is not None
    assert (owner.shop.id, owner.is_secret) == (shop.id, True)
    assert owner_of_key(connection, first) is None
    stored = connection.execute("SELECT shops::text FROM shops WHERE id = %s", [shop.id]).fetchone()
    assert stored is not None
    assert second not in stored[0]
    public = connection.execute("SELECT write_key FROM shops WHERE id = %s", [shop.id]).fetchone()
    assert public is not None
    found = owner_of_key(connection, public[0])
    assert found is not None
    assert not found.is_secret
