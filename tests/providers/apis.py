"""Small stand-ins for the providers' APIs: they take what the real ones take and answer in their form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rekindle.lib.clock import MovableClock
from rekindle.providers.base import Letter
from rekindle.providers.email.brevo import Brevo
from rekindle.providers.email.mailgun import Mailgun
from rekindle.providers.email.mandrill import Mandrill
from rekindle.providers.email.postmark import Postmark
from rekindle.providers.email.resend import Resend
from rekindle.providers.email.sendgrid import SendGrid
from rekindle.providers.email.ses import Ses
from rekindle.providers.http_client import EgressRules, HttpClient, HttpSettings
from rekindle.providers.over_http import Dialect, HttpProvider
from tests.providers.http_server import Got, Reply

CLOCK = MovableClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
SECRET = "canary-8f3a1c"


def local_client(**changes: Any) -> HttpClient:
    given = {
        "rules": EgressRules(allow_loopback=True),
        "connections": 4,
        "connect_s": 30.0,
        "answer_s": 30.0,
        **changes,
    }
    return HttpClient(HttpSettings(**given))


@dataclass(frozen=True)
class Api:
    """One e-mail API. ``recipient`` reads a request; the others make answers. ``denies``: a look-up can say no."""

    make: Callable[[str], Dialect[Letter, str]]
    recipient: Callable[[Got], str]
    taken: Callable[[int], Reply]
    bounce: Reply
    later: Reply


@dataclass
class Account:
    """A provider's side of the tests: who got what, by recipient and by message id."""

    api: Api
    arrived: list[str] = field(default_factory=list)
    requests: list[Got] = field(default_factory=list)

    def answer(self, got: Got) -> Reply:
        self.requests.append(got)
        if got.method == "GET":
            return self._search(got)
        recipient = self.api.recipient(got)
        if recipient == "bounce@example.com":
            return self.api.bounce
        if recipient == "later@example.com":
            return self.api.later
        self.arrived.append(recipient)
        return self.api.taken(len(self.arrived))

    def _search(self, got: Got) -> Reply:
        query = parse_qs(urlsplit(got.target).query)
        if "metadata_message" in query:  # Postmark
            sent = [one.json["Metadata"] for one in self.requests if one.method == "POST"]  # type: ignore[index]
            found = [{"Metadata": one} for one in sent if one["message"] == query["metadata_message"][0]]
            return Reply.of(200, {"TotalCount": len(found), "Messages": found})
        if "message-id" in query:  # Mailgun
            wanted = query["message-id"][0]
            sent = [_field(one.body, "v:send_id") for one in self.requests if one.method == "POST"]
            known = wanted.partition("@")[0] in sent
            event = {"event": "accepted", "message": {"headers": {"message-id": wanted}}}
            return Reply.of(200, {"items": [event] if known else []})
        return Reply.of(404)


def _field(body: bytes, name: str) -> str:
    found = re.search(rb'name="%s"\r\n\r\n([^\r]*)\r\n' % name.encode(), body)
    assert found
    return found[1].decode()


def _json(got: Got) -> Any:
    return json.loads(got.body)


def _postmark_error(status: int, code: int, words: str) -> Reply:
    return Reply.of(status, {"ErrorCode": code, "Message": words})


APIS: dict[str, Api] = {
    "sendgrid": Api(
        make=lambda url: SendGrid(api_key=f"SG.{SECRET}", base_url=url),
        recipient=lambda got: _json(got)["personalizations"][0]["to"][0]["email"],
        taken=lambda n: Reply.of(202, X_Message_Id=f"sg{n}"),
        bounce=Reply.of(400, {"errors": [{"message": "Does not contain a valid address.", "field": "to"}]}),
        later=Reply.of(500, {"errors": [{"message": "internal error", "field": None}]}),
    ),
    "mandrill": Api(
        make=lambda url: Mandrill(api_key=f"md-{SECRET}", base_url=url),
        recipient=lambda got: _json(got)["message"]["to"][0]["email"],
        taken=lambda n: Reply.of(200, [{"email": "x", "status": "sent", "reject_reason": None, "_id": f"md{n}"}]),
        bounce=Reply.of(200, [{"email": "x", "status": "rejected", "reject_reason": "hard-bounce", "_id": "b"}]),
        later=Reply.of(500, {"status": "error", "code": -99, "name": "GeneralError", "message": "try later"}),
    ),
    "ses": Api(
        make=lambda url: Ses(
            access_key="AKIDEXAMPLE", secret_key=SECRET, region="eu-central-1", base_url=url, clock=CLOCK
        ),
        recipient=lambda got: _json(got)["Destination"]["ToAddresses"][0],
        taken=lambda n: Reply.of(200, {"MessageId": f"ses{n}"}),
        bounce=Reply.of(400, {"message": "Bad address"}, x_amzn_ErrorType="BadRequestException:http://x/"),
        later=Reply.of(500, {"message": "oops"}, x_amzn_ErrorType="InternalFailure"),
    ),
    "resend": Api(
        make=lambda url: Resend(api_key=f"re_{SECRET}", base_url=url),
        recipient=lambda got: _json(got)["to"][0],
        taken=lambda n: Reply.of(200, {"id": f"re{n}"}),
        bounce=Reply.of(422, {"statusCode": 422, "name": "validation_error", "message": "Invalid `to` field."}),
        later=Reply.of(500, {"statusCode": 500, "name": "internal_server_error", "message": "oops"}),
    ),
    "postmark": Api(
        make=lambda url: Postmark(server_token=SECRET, base_url=url),
        recipient=lambda got: _json(got)["To"],
        taken=lambda n: Reply.of(200, {"ErrorCode": 0, "Message": "OK", "MessageID": f"pm{n}", "To": "x"}),
        bounce=_postmark_error(422, 406, "You tried to send to a recipient that has been marked as inactive."),
        later=_postmark_error(500, 500, "Internal server error"),
    ),
    "mailgun": Api(
        make=lambda url: Mailgun(api_key=SECRET, domain="mg.shop.example", base_url=url),
        recipient=lambda got: _field(got.body, "to"),
        taken=lambda n: Reply.of(200, {"id": f"<mg{n}@mg.shop.example>", "message": "Queued. Thank you."}),
        bounce=Reply.of(400, {"message": "'to' parameter is not a valid address. please check documentation"}),
        later=Reply.of(500, {"message": "Internal error"}),
    ),
    "brevo": Api(
        make=lambda url: Brevo(api_key=SECRET, base_url=url),
        recipient=lambda got: _json(got)["to"][0]["email"],
        taken=lambda n: Reply.of(201, {"messageId": f"<br{n}@smtp-relay.mailin.fr>"}),
        bounce=Reply.of(400, {"code": "invalid_parameter", "message": "email is not valid in to"}),
        later=Reply.of(500, {"code": "internal_error", "message": "oops"}),
    ),
}


@contextmanager
def account(name: str) -> Iterator[tuple[Account, Callable[[str], HttpProvider[Letter, str]]]]:
    """A stand-in, and what makes an adapter for it once its address is known."""
    api = APIS[name]
    yield Account(api), lambda url: HttpProvider(local_client(), api.make(url))
