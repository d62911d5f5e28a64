"""How does a letter go out through Resend? With real idempotency: the send id is the key, kept for 24 hours.

A repeated key with the same body is answered without a second delivery; with another body, or while the first is under
way, 409 comes: the first may have been accepted, so that is a doubt and not a refusal.
Sources: resend/resend-openapi, docs "errors" and "idempotency keys".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from rekindle.providers.base import (
    Accepted,
    Capabilities,
    Letter,
    NotStarted,
    Outcome,
    Pause,
    Uncertain,
)
from rekindle.providers.http_client import Answer, Request
from rekindle.providers.letter_parts import parts_of
from rekindle.providers.over_http import (
    Dialect,
    UnsendableError,
    by_status,
    json_request,
    key_is_plain,
    named,
    retry_after_s,
    told,
)
from rekindle.providers.read_json import mapping, parsed, text

_CAPABILITIES: Final = Capabilities(idempotency_ttl_s=24 * 3600, signed_webhooks=True)
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
#: Errors of the plan or the key, whatever their status: waiting a second cures none of them.
_ACCOUNT: Final = frozenset(
    {
        "missing_api_key",
        "invalid_api_key",
        "restricted_api_key",
        "suspended_api_key",
        "daily_quota_exceeded",
        "monthly_quota_exceeded",
        "invalid_from_address",
        "invalid_access",
        "not_found",
        "method_not_allowed",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resend(Dialect[Letter, str]):
    """One account."""

    api_key: str = field(repr=False)
    base_url: str = "https://api.resend.com"

    def __post_init__(self) -> None:
        if not key_is_plain(self.api_key):
            raise ValueError("Resend needs an API key")

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.api_key,)

    def request(self, message: Letter) -> Request:
        if not _TAG.fullmatch(message.send_id):
            raise UnsendableError("send_id", "Resend takes keys of letters, digits, dashes and underscores only")
        parts = parts_of(message)
        payload: dict[str, object] = {
            "from": named(parts.from_address, parts.from_name),
            "to": [named(message.recipient, parts.to_name)],
            "subject": parts.subject,
            "headers": {**dict(parts.headers), "Message-ID": f"<{message.message_id}>"},
            "tags": [{"name": "send_id", "value": message.send_id}],
        }
        if parts.text:
            payload["text"] = parts.text
        if parts.html:
            payload["html"] = parts.html
        if parts.reply_to:
            payload["reply_to"] = parts.reply_to
        return json_request("/emails", payload, self._authorization(), ("Idempotency-Key", message.send_id))

    def outcome(self, answer: Answer, message: Letter) -> Outcome:
        body = mapping(parsed(answer.body))
        if answer.status in {200, 201}:
            name = text(body.get("id"), 200)
            return Accepted(name, str(answer.status)) if name else Uncertain(f"{answer.status} without an id")
        error = text(body.get("name"), 80)
        said = told(f"{error}: {text(body.get('message'))}" if error else "", message.recipient, *self.secrets)
        if answer.status == 409:
            return Uncertain(f"the key is in use or was used with another body: {said}")
        if error in _ACCOUNT:
            return NotStarted(error, said, Pause.OPERATOR, retry_after_s(answer.headers))
        return by_status(answer, said, code=error, explained=bool(error))

    def check_request(self) -> Request:
        return Request("GET", "/domains", (self._authorization(),))

    def _authorization(self) -> tuple[str, str]:
        return "Authorization", f"Bearer {self.api_key}"
