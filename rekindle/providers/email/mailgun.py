"""How does a letter go out through Mailgun? The MIME message as it is, in a form.

Its events can be searched by Message-ID: a find is a yes; nothing found proves nothing, because events appear late.
A wrong path answers 200 with a friendly text, so only "Queued" counts. Sources: Mailgun docs "messages.mime", "events";
django-anymail on the 200 for wrong paths.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

from rekindle.providers.base import (
    Accepted,
    Capabilities,
    Fault,
    Letter,
    NotStarted,
    Outcome,
    Pause,
    Rejected,
    Uncertain,
)
from rekindle.providers.http_client import Answer, Request
from rekindle.providers.over_http import Dialect, UnsendableError, by_status, key_is_plain, told
from rekindle.providers.read_json import mapping, members, parsed, text

_CAPABILITIES: Final = Capabilities(lookup=True, signed_webhooks=True)
_BAD_RECIPIENT = re.compile(r"'to' parameter is not a valid address|\bto\b.{0,40}not a valid address", re.IGNORECASE)
_MAGNIFICENT: Final = "mailgun magnificent api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailgun(Dialect[Letter, str]):
    """One sending domain. ``base_url`` is https://api.eu.mailgun.net for domains of the EU region."""

    api_key: str = field(repr=False)
    domain: str
    base_url: str = "https://api.mailgun.net"

    def __post_init__(self) -> None:
        if not key_is_plain(self.api_key):
            raise ValueError("Mailgun needs an API key")
        if not re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", self.domain):
            raise ValueError("Mailgun needs the sending domain in lower case")

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.api_key,)

    def request(self, message: Letter) -> Request:
        fields = {
            "to": message.recipient,
            "v:send_id": message.send_id,
            "o:tracking": "no",
            "o:tracking-clicks": "no",
            "o:tracking-opens": "no",
        }
        kind, body = _form(fields, message.content)
        return Request(
            "POST", f"/v3/{self.domain}/messages.mime", (("Content-Type", kind), self._authorization()), body
        )

    def outcome(self, answer: Answer, message: Letter) -> Outcome:
        body = mapping(parsed(answer.body))
        words = text(body.get("message"))
        if answer.status == 200:
            name = text(body.get("id"), 300).strip("<>")
            if words.startswith("Queued") and name:
                return Accepted(name, "Queued")
            if _MAGNIFICENT in answer.body[:200].decode("utf-8", "replace").lower():
                return NotStarted("path", "Mailgun does not know this path: check domain and base URL", Pause.OPERATOR)
            return Uncertain("200 without 'Queued'")
        said = told(words, message.recipient, *self.secrets)
        if answer.status == 400 and _BAD_RECIPIENT.search(words):
            return Rejected(True, "400", said, Fault.RECIPIENT)
        return by_status(answer, said, explained=bool(words))

    def check_request(self) -> Request:
        return Request("GET", f"/v3/domains/{self.domain}", (self._authorization(),))

    def lookup_request(self, trace: str) -> Request:
        query = urlencode({"message-id": trace, "limit": "5"}, quote_via=quote)
        return Request("GET", f"/v3/{self.domain}/events?{query}", (self._authorization(),))

    def was_accepted(self, answer: Answer, trace: str) -> bool | None:
        events = [mapping(one) for one in members(mapping(parsed(answer.body)).get("items"))]
        found = [event for event in events if _message_id(event) == trace and text(event.get("event")) != "rejected"]
        return True if answer.status == 200 and found else None

    def _authorization(self) -> tuple[str, str]:
        return "Authorization", "Basic " + b64encode(f"api:{self.api_key}".encode()).decode()


def _message_id(event: object) -> str:
    return text(mapping(mapping(mapping(event).get("message")).get("headers")).get("message-id")).strip("<>")


def _form(fields: dict[str, str], content: bytes) -> tuple[str, bytes]:
    """A multipart form with the letter as its file (RFC 7578); the boundary cannot occur in what it separates."""
    boundary = f"rekindle-{hashlib.sha256(content).hexdigest()[:32]}"
    if boundary.encode() in content:
        raise UnsendableError("content", "the content holds its own hash")
    lines: list[bytes] = []
    for name, value in fields.items():
        if any(c in value for c in "\r\n\0"):
            raise UnsendableError("field", f"{name} must not hold line breaks")
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        lines.append(f"{head}{value}\r\n".encode())
    file = 'form-data; name="message"; filename="message.eml"\r\nContent-Type: message/rfc822'
    lines.append(f"--{boundary}\r\nContent-Disposition: {file}\r\n\r\n".encode())
    lines += [content, f"\r\n--{boundary}--\r\n".encode()]
    return f"multipart/form-data; boundary={boundary}", b"".join(lines)
