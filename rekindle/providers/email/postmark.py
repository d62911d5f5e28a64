"""How does a letter go out through Postmark? 200 counts only with `ErrorCode` 0.

It can be asked afterwards: messages are found by their metadata. Its index lags behind, so a find is a yes and nothing
found is no answer at all. Sources: Postmark developer docs "email API", "API error codes", "messages API".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

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
from rekindle.providers.letter_parts import parts_of
from rekindle.providers.over_http import Dialect, by_status, json_request, key_is_plain, named, retry_after_s, told
from rekindle.providers.read_json import mapping, members, number, parsed, text

_CAPABILITIES: Final = Capabilities(lookup=True)
#: 10 token · 400, 401 sender unknown or unconfirmed · 405 no credit · 412, 413 account · 1226, 1235 message stream
_ACCOUNT: Final = frozenset({10, 400, 401, 405, 412, 413, 1226, 1235})
_MAINTENANCE: Final = 100
_INACTIVE: Final = 406
_RATE: Final = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmark(Dialect[Letter, str]):
    """One server. ``message_stream``: a broadcast stream of its own keeps marketing from the transactional one."""

    server_token: str = field(repr=False)
    message_stream: str = "broadcast"
    base_url: str = "https://api.postmarkapp.com"

    def __post_init__(self) -> None:
        if not key_is_plain(self.server_token):
            raise ValueError("Postmark needs a server token")

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.server_token,)

    def request(self, message: Letter) -> Request:
        parts = parts_of(message)
        payload: dict[str, object] = {
            "From": named(parts.from_address, parts.from_name),
            "To": named(message.recipient, parts.to_name),
            "Subject": parts.subject,
            "TextBody": parts.text,
            "HtmlBody": parts.html,
            "Headers": [{"Name": name, "Value": value} for name, value in parts.headers],
            "Metadata": {"send_id": message.send_id, "message": _key(message.message_id)},
            "TrackOpens": False,
            "TrackLinks": "None",
            "MessageStream": self.message_stream,
        }
        if parts.reply_to:
            payload["ReplyTo"] = parts.reply_to
        return json_request("/email", payload, self._token())

    def outcome(self, answer: Answer, message: Letter) -> Outcome:
        body = mapping(parsed(answer.body))
        code = number(body.get("ErrorCode"))
        words = text(body.get("Message"))
        said = told(f"{code:.0f}: {words}" if code is not None else "", message.recipient, *self.secrets)
        if answer.status == 200 and code == 0:
            # Human text, lower-cased addresses: the letter was taken and will not be delivered.
            if "inactive" in words.lower() and message.recipient.lower() in words.lower():
                return Rejected(True, str(_INACTIVE), said, Fault.RECIPIENT)
            name = text(body.get("MessageID"), 200)
            return Accepted(name, "200") if name else Uncertain("200 without a message id")
        if code is None or answer.status not in {200, 401, 422, 429, 500, 503}:
            return by_status(answer, said)
        return self._refusal(int(code), said, answer)

    def check_request(self) -> Request:
        return Request("GET", "/server", (self._token(), ("Accept", "application/json")))

    def lookup_request(self, trace: str) -> Request:
        query = urlencode({"count": "1", "offset": "0", "metadata_message": _key(trace)})
        return Request("GET", f"/messages/outbound?{query}", (self._token(), ("Accept", "application/json")))

    def was_accepted(self, answer: Answer, trace: str) -> bool | None:
        body = mapping(parsed(answer.body))
        found = [mapping(mapping(one).get("Metadata")) for one in members(body.get("Messages"))]
        is_ours = any(text(one.get("message")) == _key(trace) for one in found)
        return True if answer.status == 200 and is_ours else None

    def _refusal(self, code: int, said: str, answer: Answer) -> Outcome:
        if code in _ACCOUNT or answer.status == 401:
            return NotStarted(str(code), said, Pause.OPERATOR)
        if code in {_MAINTENANCE, _RATE} or answer.status in {429, 503}:
            return NotStarted(str(code), said, Pause.BACK_OFF, retry_after_s(answer.headers))
        if code == _INACTIVE:
            return Rejected(True, str(code), said, Fault.RECIPIENT)
        if answer.status == 500:
            return Rejected(False, str(code), said, Fault.PROVIDER)
        return Rejected(True, str(code), said, Fault.LETTER)

    def _token(self) -> tuple[str, str]:
        return "X-Postmark-Server-Token", self.server_token


def _key(message_id: str) -> str:
    """A message id as metadata: values may have 80 characters at most, and a domain has more."""
    return hashlib.sha256(message_id.encode()).hexdigest()[:32]
