"""Do our requests pass the providers' own specifications? One mock per test, because each takes seconds to start."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from rekindle.providers.base import (
    Accepted,
    Fault,
    Letter,
    LetterParts,
    NotStarted,
    Outcome,
    Pause,
    Rejected,
    SmsTrace,
)
from rekindle.providers.email.resend import Resend
from rekindle.providers.email.sendgrid import SendGrid
from rekindle.providers.http_client import Answer, Answered, Request
from rekindle.providers.over_http import Dialect
from rekindle.render.defaults import STEPS, default_email
from rekindle.render.defaults.texts import TEXTS
from rekindle.render.email import compile_email, render_email
from rekindle.render.sample import sample_facts
from tests.providers.apis import local_client
from tests.providers.letters import run
from tests.providers.shared_contracts import needs_contracts
from tests.providers.test_email_apis import LETTER, PARTS
from tests.providers.test_sms import NOW, SMS, twilio
from tests.providers.validating_mock import mocking


def letters() -> Iterator[Letter]:
    """Every default letter in every language and step, and the odd ones."""
    yield LETTER
    yield replace(LETTER, parts=None)
    yield replace(LETTER, parts=replace(PARTS, reply_to="", from_name="", headers=(), html=""))
    yield replace(LETTER, parts=replace(PARTS, text="", to_name="Ada; Countess, of Lovelace"))


def default_letters() -> Iterator[Letter]:
    for locale in TEXTS:
        for step in STEPS:
            mail = render_email(compile_email(default_email(step, locale)), sample_facts(locale=locale, step=step))
            parts = LetterParts(
                from_address="shop@shop.example",
                from_name="Nordlicht Outdoor",
                subject=mail.subject,
                text=mail.text,
                html=mail.html,
                headers=PARTS.headers,
            )
            yield replace(LETTER, send_id=f"7-{locale}-{step}", parts=parts)


async def ask(dialect: Dialect[Any, Any], request: Request, prefer: str = "") -> Answer:
    """One exchange as the adapter would have it; ``prefer`` makes the mock answer with an example of its own."""
    client = local_client(answer_s=15.0)
    headers = (*request.headers, *([("Prefer", prefer)] if prefer else []))
    exchange = await client.exchange(
        f"{dialect.base_url}{request.target}", request.method, headers=headers, body=request.body
    )
    await client.close()
    assert isinstance(exchange, Answered)
    return exchange.answer


async def accepted(dialect: Dialect[Any, Any], message: Any) -> None:
    answer = await ask(dialect, dialect.request(message))
    assert answer.headers.get("sl-violations") is None, answer.headers["sl-violations"]
    assert isinstance(dialect.outcome(answer, message), Accepted), answer


async def forced(dialect: Dialect[Any, Any], message: Any, prefer: str) -> Outcome:
    return dialect.outcome(await ask(dialect, dialect.request(message), prefer), message)


@needs_contracts
def test_sendgrids_specification() -> None:
    with mocking("sendgrid/mail_overlay.json") as url:

        async def work() -> None:
            account = SendGrid(api_key="SG.x", base_url=url)
            for letter in (*letters(), *default_letters()):
                await accepted(account, letter)
            # the mock does judge: without a sender it refuses
            body = json.loads(account.request(LETTER).body)
            del body["from"]
            request = account.request(LETTER)
            answer = await ask(account, Request("POST", request.target, request.headers, json.dumps(body).encode()))
            assert answer.status >= 400
            limited = await forced(account, LETTER, "code=429")
            assert isinstance(limited, NotStarted)
            assert limited.pause is Pause.BACK_OFF
            assert isinstance(await forced(account, LETTER, "code=503"), NotStarted)
            unknown = await forced(account, LETTER, "code=401")
            assert isinstance(unknown, NotStarted)
            assert unknown.pause is Pause.OPERATOR

        run(work(), limit_s=60)


@needs_contracts
def test_resends_specification() -> None:
    with mocking("resend/resend.yaml") as url:

        async def work() -> None:
            account = Resend(api_key="re_x", base_url=url)
            for letter in (*letters(), *default_letters()):
                await accepted(account, letter)
            request = account.request(LETTER)
            answer = await ask(account, Request("POST", request.target, request.headers, b'{"to": ["a@b.example"]}'))
            assert answer.status == 422

        run(work(), limit_s=60)


@needs_contracts
def test_twilios_specification() -> None:
    with mocking("twilio/messages_overlay.json") as url:

        async def work() -> None:
            account = twilio(url)
            for changes in (
                {},
                {"text": "x" * 1_600},
                {"report_url": ""},
                {"recipient": "+15550100006"},
                {"valid_for_s": 1},
            ):
                await accepted(account, dataclasses.replace(SMS, **changes))  # type: ignore[arg-type]
            service = twilio(url, messaging_service="MG" + "c" * 32)
            await accepted(service, dataclasses.replace(SMS, sender=""))
            for example, expected in {
                "unsubscribed": Fault.OPTED_OUT,
                "invalid_to": Fault.RECIPIENT,
                "not_mobile": Fault.RECIPIENT,
                "body_too_long": Fault.LETTER,
                "missing_to": Fault.LETTER,
            }.items():
                outcome = await forced(account, SMS, f"code=400, example={example}")
                assert isinstance(outcome, Rejected), example
                assert (outcome.permanent, outcome.fault) == (True, expected), example
            for prefer, pause in {
                "code=400, example=geo": Pause.OPERATOR,
                "code=400, example=no_from": Pause.OPERATOR,
                "code=401": Pause.OPERATOR,
                "code=429": Pause.BACK_OFF,
                "code=503": Pause.BACK_OFF,
            }.items():
                refused = await forced(account, SMS, prefer)
                assert isinstance(refused, NotStarted), prefer
                assert refused.pause is pause, prefer
            trace = SmsTrace(send_id="x", recipient=SMS.recipient, marker="/c/abc", since=NOW)
            listed = await ask(account, account.lookup_request(trace))
            # the examples of the answer break the specification themselves; of the request it finds nothing wrong
            found = json.loads(listed.body).get("validation", [])
            assert [one for one in found if one["location"][0] == "request"] == []
            assert listed.status in {200, 500}

        run(work(), limit_s=60)
