"""Can an account at every provider be made from what a person types in?"""

from __future__ import annotations

import pytest

from rekindle.providers.catalogue import KINDS, ProviderKind
from rekindle.providers.feedback import ForgedError, Post, UnreadableError
from rekindle.providers.http_client import HttpClient
from rekindle.terms.send import Channel
from tests.providers.apis import APIS, local_client
from tests.providers.push_kit import KEY_FILE, VAPID_KEY
from tests.providers.test_sms import NOW, PEM

TYPED = {
    "account_sid": "AC" + "0" * 32,
    "access_key": "AKIDEXAMPLE",
    "region": "eu-central-1",
    "domain": "mg.shop.example",
    "application_id": "0190c3a2-5e3b-7a11-8000-0123456789ab",
    "private_key": PEM,
    "subject": "mailto:shop@example.com",
    "vapid_private_key": VAPID_KEY,
    "key_file": KEY_FILE,
    "esp": "mailersend",
    "settings": '{"api_token": "secret-canary"}',
}


def typed(kind: ProviderKind) -> dict[str, str]:
    """Only what has no default, with blanks around it as people leave them."""
    needed = [field for field in kind.fields if field.default is None]
    return {field.name: f" {TYPED.get(field.name, 'secret-canary')} " for field in needed}


def test_every_adapter_is_in_the_list() -> None:
    emails = {name for name, kind in KINDS.items() if kind.channel is Channel.EMAIL}
    assert emails - {"anymail"} == set(APIS)
    assert {name for name, kind in KINDS.items() if kind.channel is Channel.SMS} == {"twilio", "vonage"}
    assert {name for name, kind in KINDS.items() if kind.channel is Channel.PUSH} == {"web_push", "fcm"}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_a_person_types_makes_an_account(kind: ProviderKind) -> None:
    provider = kind.provider(local_client(), typed(kind))
    assert provider.start_width == 0
    assert provider.trouble is None


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_is_missing_is_named(kind: ProviderKind) -> None:
    for field in kind.fields:
        if field.default is None:
            with pytest.raises(ValueError, match="is missing") as told:
                kind.provider(local_client(), {**typed(kind), field.name: "  "})
            assert field.label in str(told.value)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_address_inside_is_refused(kind: ProviderKind) -> None:
    if not any(field.name == "base_url" for field in kind.fields):
        assert kind.name in ("web_push", "anymail")  # calls what its subscriptions name: see test_web_push.py
        return
    for url in ("http://api.example", "https://user@api.example", "gopher://x"):
        with pytest.raises(ValueError, match="may not be called"):
            kind.provider(HttpClient(), {**typed(kind), "base_url": url})


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_without_a_key_no_report_is_believed(kind: ProviderKind) -> None:
    receiver = kind.receiver({})
    given = Post(url="https://x.example/", headers={}, body=b'{"event": "delivered"}', received_at=NOW)
    with pytest.raises((ForgedError, UnreadableError)):
        receiver.receive(given)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_secret_is_marked_as_one(kind: ProviderKind) -> None:
    secret = {field.name for field in kind.fields if field.is_secret}
    assert secret & {"api_key", "secret_key", "server_token", "secret", "private_key"} | {
        "vapid_private_key",
        "key_file",
    }
    assert all(field.is_secret for field in kind.hook_fields)


def test_a_new_account_for_web_push_gets_a_key_of_its_own() -> None:
    kind = KINDS["web_push"]
    given = {"subject": "mailto:shop@example.com", "vapid_private_key": " "}
    first, second = kind.made(given), kind.made(given)
    assert first["vapid_private_key"] != second["vapid_private_key"]
    assert kind.made(first) == first
    assert kind.provider(local_client(), first).trouble is None
