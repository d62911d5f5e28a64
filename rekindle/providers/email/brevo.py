"""How does a letter go out through Brevo? With an idempotency key, a UUID that is remembered for a quarter of an hour.

The key goes inside the JSON. Brevo's guide says 30 minutes, its older changelog 15: the shorter one counts. Headers are
sent as raw bytes, so they must be ASCII. Sources: developers.brevo.com "idempotency for batch emails", changelog.
"""

from __future__ import annotations

import uuid
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
from rekindle.providers.read_json import mapping, parsed, text

_CAPABILITIES: Final = Capabilities(idempotency_ttl_s=15 * 60)
#: Codes of errors that a person must mend, whatever their status.
_ACCOUNT: Final = frozenset({"unauthorized", "permission_denied", "not_enough_credits", "account_under_validation"})
#: The guide's name for "this key was used before, the request is not processed"; also used for other duplicates.
_REPEATED: Final = "duplicate_parameter"
_NAMESPACE: Final = uuid.UUID("6f1c1a0e-0d55-5f0e-9f57-3c2c4e8a7b10")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brevo(Dialect[Letter, str]):
    """One account."""

    api_key: str = field(repr=False)
    base_url: str = "https://api.brevo.com"

    def __post_init__(self) -> None:
        if not key_is_plain(self.api_key):
            raise ValueError("Brevo needs an API key")

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.api_key,)

    def request(self, message: Letter) -> Request:
        parts = parts_of(message)
        headers = {
            **dict(parts.headers),
            "Message-ID": f"<{message.message_id}>",
            "X-Mailin-custom": message.send_id,
            "idempotencyKey": key_of(message.send_id),
        }
        if not all(name.isascii() and value.isascii() for name, value in headers.items()):
            raise UnsendableError("headers", "Brevo takes headers in ASCII only")
        payload: dict[str, object] = {
            "sender": _mailbox(parts.from_address, parts.from_name),
            "to": [_mailbox(message.recipient, parts.to_name)],
            "subject": parts.subject,
            "headers": headers,
        }
        if parts.html:
            payload["htmlContent"] = parts.html
        if parts.text:
            payload["textContent"] = parts.text
        if parts.reply_to:
            payload["replyTo"] = {"email": parts.reply_to}
        return json_request("/v3/smtp/email", payload, self._key())

    def outcome(self, answer: Answer, message: Letter) -> Outcome:
        body = mapping(parsed(answer.body))
        if answer.status in {201, 202}:
            name = text(body.get("messageId"), 300).strip("<>")
            return Accepted(name, str(answer.status)) if name else Uncertain(f"{answer.status} without a message id")
        code = text(body.get("code"), 80)
        said = told(f"{code}: {text(body.get('message'))}" if code else "", message.recipient, *self.secrets)
        if code == _REPEATED and "idempotency" in said.lower():
            return Accepted(key_of(message.send_id), "the first request with this key was carried out")
        if code == _REPEATED or answer.status == 409:
            return Uncertain(f"something was used before, perhaps the key: {said}")
        if code in _ACCOUNT:
            return NotStarted(code, said, Pause.OPERATOR, retry_after_s(answer.headers))
        return by_status(answer, said, code=code, explained=bool(code))

    def check_request(self) -> Request:
        return Request("GET", "/v3/account", (self._key(), ("Accept", "application/json")))

    def _key(self) -> tuple[str, str]:
        return "api-key", self.api_key


def key_of(send_id: str) -> str:
    """The same UUID for the same send, in every attempt and every release.

    >>> key_of("7-abc") == key_of("7-abc"), len(key_of("7-abc"))
    (True, 36)
    """
    return str(uuid.uuid5(_NAMESPACE, send_id))


def _mailbox(address: str, name: str) -> dict[str, str]:
    return {"email": address, "name": name} if name else {"email": address}
