"""How does a letter go out through SendGrid (v3 mail/send)?

Its answer is 202 with an empty body; there are no idempotency keys and no search by our own id, so a lost answer stays
in doubt until an event tells. The send id travels as a custom argument, which comes back flattened in every event.
Sources: twilio/sendgrid-oai tsg_mail_v3, docs "v3 API errors".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rekindle.providers.base import Accepted, Capabilities, Letter, NotStarted, Outcome, Pause, Uncertain
from rekindle.providers.http_client import Answer, Request
from rekindle.providers.letter_parts import parts_of
from rekindle.providers.over_http import (
    Dialect,
    UnsendableError,
    by_status,
    json_request,
    key_is_plain,
    retry_after_s,
    told,
)
from rekindle.providers.read_json import mapping, members, parsed, text

_CAPABILITIES: Final = Capabilities(signed_webhooks=True)
#: Refused as custom headers, because fields of the request say them (spec: "headers").
_RESERVED: Final = frozenset(
    {"x-sg-id", "x-sg-eid", "received", "dkim-signature", "to", "from", "subject", "reply-to", "cc", "bcc"}
    | {"content-type", "content-transfer-encoding"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendGrid(Dialect[Letter, str]):
    """One account. ``base_url`` is https://api.eu.sendgrid.com for regional subusers of the EU."""

    api_key: str = field(repr=False)
    base_url: str = "https://api.sendgrid.com"

    def __post_init__(self) -> None:
        if not key_is_plain(self.api_key):
            raise ValueError("SendGrid needs an API key")

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.api_key,)

    def request(self, message: Letter) -> Request:
        parts = parts_of(message)
        if not parts.from_address.isascii():
            raise UnsendableError("sender", "SendGrid takes no sender address outside ASCII")
        content = [{"type": "text/plain", "value": parts.text}] if parts.text else []
        if parts.html:
            content.append({"type": "text/html", "value": parts.html})
        headers = {name: value for name, value in parts.headers if name.lower() not in _RESERVED}
        headers["Message-ID"] = f"<{message.message_id}>"
        payload: dict[str, object] = {
            "personalizations": [
                {
                    "to": [_mailbox(message.recipient, parts.to_name)],
                    "custom_args": {"send_id": message.send_id},
                }
            ],
            "from": _mailbox(parts.from_address, parts.from_name),
            "subject": parts.subject,
            "content": content,
            "headers": headers,
            # Our own links and our own unsubscribe page; theirs would rewrite both.
            "tracking_settings": {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": {"enable": False},
                "subscription_tracking": {"enable": False},
                "ganalytics": {"enable": False},
            },
        }
        if parts.reply_to:
            payload["reply_to"] = {"email": parts.reply_to}
        return json_request("/v3/mail/send", payload, self._authorization())

    def outcome(self, answer: Answer, message: Letter) -> Outcome:
        if answer.status == 202:
            name = answer.headers.get("x-message-id", "")
            if answer.body.strip() or not name:
                return Uncertain("202 without what SendGrid sends with it: the answer may be somebody else's")
            return Accepted(name, "202")
        errors = [mapping(error) for error in members(mapping(parsed(answer.body)).get("errors"))]
        said = told("; ".join(_sentence(error) for error in errors), message.recipient, *self.secrets)
        if answer.status == 401 and "credits exceeded" in said.lower():
            return NotStarted("credits", said, Pause.OPERATOR, retry_after_s(answer.headers))
        return by_status(answer, said, explained=bool(errors))

    def check_request(self) -> Request:
        return Request("GET", "/v3/scopes", (self._authorization(),))

    def _authorization(self) -> tuple[str, str]:
        return "Authorization", f"Bearer {self.api_key}"


def _sentence(error: object) -> str:
    facts = mapping(error)
    return ": ".join(part for part in (text(facts.get("field")), text(facts.get("message"))) if part)


def _mailbox(address: str, name: str) -> dict[str, str]:
    """Names must not hold a semicolon or a comma (docs: "v3 mail send, personalizations")."""
    name = " ".join(name.replace(",", " ").replace(";", " ").split())
    return {"email": address, "name": name} if name else {"email": address}
