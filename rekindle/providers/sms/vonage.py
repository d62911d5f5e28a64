"""How does a short message go out through Vonage (Messages API v1)? JSON, signed in by a token of our own making.

The send id travels as `client_ref` and comes back in every report; `ttl` keeps a message from being delivered late. It
cannot be asked afterwards. Numbers go without the plus sign. Sources: developer.vonage.com "Messages API" and
"API errors", Vonage/vonage-python-sdk.
"""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import Final

from rekindle.lib.clock import SYSTEM_CLOCK, Clock
from rekindle.providers import jwt
from rekindle.providers.base import (
    Accepted,
    Capabilities,
    Fault,
    NotStarted,
    Outcome,
    Pause,
    Rejected,
    Sms,
    SmsTrace,
    Uncertain,
)
from rekindle.providers.http_client import Answer, Request
from rekindle.providers.over_http import (
    Dialect,
    UnsendableError,
    by_status,
    json_request,
    retry_after_s,
    told,
)
from rekindle.providers.read_json import mapping, parsed, text

_CAPABILITIES: Final = Capabilities(signed_webhooks=True)
MAX_TEXT: Final = 1_000
#: Seconds that a message may wait; what is shorter is refused by the API, so it is not sent at all.
MIN_TTL_S: Final = 20
MAX_TTL_S: Final = 604_800
_TOKEN_LIFE_S: Final = 900

#: Codes behind the hash of `type` (docs "Messages API errors").
_BUSY: Final = frozenset({"1000"})
_NUMBER_BARRED: Final = frozenset({"1050"})
#: 1060, 1080, 1140 account · 1070 credit · 1120 sender · 1160 not on the account's list · words: generic errors
_ACCOUNT: Final = frozenset(
    {"1060", "1070", "1080", "1120", "1140", "1160"}
    | {"low-balance", "unauthorized", "forbidden", "unprovisioned", "account-suspended"}
    | {"jwt-expired", "jwt-revoked", "invalid-api-key", "invalid-signature", "not-found"}
)
_RETRY: Final = frozenset({"1030", "1100"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Vonage(Dialect[Sms, SmsTrace]):
    """One application. ``base_url`` is https://api-eu.vonage.com or https://api-us.vonage.com for a region."""

    application_id: str
    private_key: str = field(repr=False)
    base_url: str = "https://api.nexmo.com"
    clock: Clock = SYSTEM_CLOCK
    _tokens: _Tokens = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", self.application_id):
            raise ValueError("Vonage needs an application id, which is a UUID")
        jwt.rsa_key(self.private_key)
        object.__setattr__(self, "_tokens", _Tokens(self.application_id, self.private_key, self.clock))

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.private_key,)

    def request(self, message: Sms) -> Request:
        if not message.text or len(message.text) > MAX_TEXT:
            raise UnsendableError("1020", f"Vonage takes 1 to {MAX_TEXT} characters")
        if message.valid_for_s < MIN_TTL_S:
            raise UnsendableError("expired", f"Vonage keeps no message for less than {MIN_TTL_S} seconds")
        if not message.sender:
            raise UnsendableError("1010", "Vonage needs a sender")
        payload: dict[str, object] = {
            "message_type": "text",
            "channel": "sms",
            "to": message.recipient.removeprefix("+"),
            "from": message.sender.removeprefix("+"),
            "text": message.text,
            "ttl": min(message.valid_for_s, MAX_TTL_S),
            "client_ref": message.send_id,
        }
        if message.report_url:
            payload |= {"webhook_url": message.report_url, "webhook_version": "v1"}
        return json_request("/v1/messages", payload, self._authorization())

    def outcome(self, answer: Answer, message: Sms) -> Outcome:
        body = mapping(parsed(answer.body))
        if answer.status in {200, 202}:
            name = text(body.get("message_uuid"), 64)
            return Accepted(name, str(answer.status)) if name else Uncertain(f"{answer.status} without a message id")
        code = text(body.get("type")).rpartition("#")[2][:40]
        words = f"{text(body.get('title'))}: {text(body.get('detail'))}" if code else ""
        said = told(words, message.recipient, message.recipient.removeprefix("+"), *self.secrets)
        if code in _BUSY or answer.status == 429:
            return NotStarted(code or "429", said, Pause.BACK_OFF, retry_after_s(answer.headers))
        if code in _ACCOUNT:
            return NotStarted(code, said, Pause.OPERATOR)
        if code in _NUMBER_BARRED:
            return Rejected(True, code, said, Fault.RECIPIENT)
        if code in _RETRY:
            return Rejected(False, code, said, Fault.PROVIDER)
        return by_status(answer, said, code=code, explained=bool(code))

    def check_request(self) -> Request:
        """A message without a recipient: good credentials are told that it is invalid (422), bad ones 401."""
        return json_request("/v1/messages", {}, self._authorization())

    def is_welcome(self, answer: Answer) -> bool:
        return answer.status in {202, 400, 422}

    def _authorization(self) -> tuple[str, str]:
        return "Authorization", f"Bearer {self._tokens.current()}"


class _Tokens:
    """Keeps one token for most of its life: an RSA signature costs as much as a hundred messages."""

    def __init__(self, application_id: str, private_key: str, clock: Clock) -> None:
        self._application_id, self._private_key, self._clock = application_id, private_key, clock
        self._lock = threading.Lock()
        self._token = ""
        self._good_until = 0

    def current(self) -> str:
        now = int(self._clock.now().timestamp())
        with self._lock:
            if not self._good_until - _TOKEN_LIFE_S <= now < self._good_until - 60:
                claims = {
                    "application_id": self._application_id,
                    "iat": now,
                    "exp": now + _TOKEN_LIFE_S,
                    "jti": secrets.token_hex(16),
                }
                self._token, self._good_until = jwt.rs256(claims, self._private_key), now + _TOKEN_LIFE_S
            return self._token
