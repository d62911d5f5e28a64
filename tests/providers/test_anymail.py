"""Letters through django-anymail's translations, over our own client. Skipped where the optional package is missing."""

from __future__ import annotations

import asyncio
import json
import sys

import django
import pytest

from rekindle.providers.base import Accepted, Fault, LetterParts, NotStarted, Outcome, Pause, Rejected, Uncertain
from rekindle.providers.catalogue import KINDS
from tests.providers.apis import local_client
from tests.providers.http_server import RESET, Answer, Got, Reply, serving
from tests.providers.letters import letter, send

pytest.importorskip("anymail", reason="pip install 'rekindle[anymail]'")
django.setup()

PARTS = LetterParts(
    from_address="shop@shop.example",
    from_name="Shop",
    subject="Your cart",
    text="Come back",
    html="<p>Come back</p>",
    headers=(("List-Unsubscribe", "<https://x.example/u>"), ("X-Rekindle-Send", "7-abc")),
)


def settings_of(url: str) -> dict[str, str]:
    return {"esp": "mailersend", "settings": json.dumps({"api_token": "canary-token", "api_url": f"{url}/v1/"})}


def outcome_of(*answers: Answer, recipient: str = "ada@example.com") -> tuple[Outcome, list[Got]]:
    async def run() -> tuple[Outcome, list[Got]]:
        async with serving(*answers) as server:
            client = local_client()
            provider = KINDS["anymail"].provider(client, settings_of(server.url))
            (outcome,) = await send(provider, letter(recipient=recipient, parts=PARTS))  # type: ignore[arg-type]
            await client.close()
            return outcome, server.got

    return asyncio.run(run())


def test_a_letter_arrives_with_its_pieces_and_its_name() -> None:
    outcome, (got,) = outcome_of(Reply.of(202, b"", X_Message_Id="ms1", Content_Type="text/html"))
    assert outcome == Accepted("ms1", "202")
    assert (got.method, got.target) == ("POST", "/v1/email")
    assert got.headers["authorization"] == "Bearer canary-token"
    told = got.json
    assert isinstance(told, dict)
    assert [one["email"] for one in told["to"]] == ["ada@example.com"]
    assert told["subject"]
    assert told["html"]
    assert told["text"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Reply.of(401, {"message": "Unauthenticated."}), NotStarted("401", "", Pause.OPERATOR)),
        (Reply.of(429, {"message": "slow"}, Retry_After="7"), NotStarted("429", "", Pause.BACK_OFF, 7.0)),
        (Reply.of(422, {"message": "The to.0.email must be valid."}), Rejected(True, "422", "", Fault.LETTER)),
        (Reply.of(502, b"<html>"), Uncertain("")),
        (Reply.of(202, b"<html>please sign in</html>", Content_Type="text/html"), Uncertain("")),
        (RESET, Uncertain("")),
    ],
)
def test_answers_mean_what_they_mean_everywhere(answer: Answer, expected: Outcome) -> None:
    outcome, _ = outcome_of(answer)
    assert type(outcome) is type(expected)
    if isinstance(outcome, NotStarted) and isinstance(expected, NotStarted):
        assert (outcome.code, outcome.pause, outcome.retry_after_s) == (
            expected.code,
            expected.pause,
            expected.retry_after_s,
        )
    if isinstance(outcome, Rejected) and isinstance(expected, Rejected):
        assert (outcome.permanent, outcome.fault) == (expected.permanent, expected.fault)
    assert "canary" not in repr(outcome)


@pytest.mark.parametrize(
    ("esp", "settings", "says"),
    [
        ("nobody", "{}", "no provider"),
        ("../x", "{}", "name of Anymail"),
        ("mailersend", "{", "JSON"),
        ("mailersend", "{}", "refuses"),
        ("test", "{}", "HTTP"),
    ],
)
def test_what_cannot_be_an_account_is_said(esp: str, settings: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        KINDS["anymail"].provider(local_client(), {"esp": esp, "settings": settings})


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anymail.backends.base_requests", None)
    with pytest.raises(ValueError, match="pip install"):
        KINDS["anymail"].provider(local_client(), settings_of("https://api.example"))
