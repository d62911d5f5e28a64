"""How does Rekindle sign in to Google? A service account's key signs an assertion; it is exchanged for a token.

RFC 7523 as Google runs it: https://developers.google.com/identity/protocols/oauth2/service-account. The token is good
for an hour and is fetched before it ends.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

from rekindle.lib.clock import Clock
from rekindle.providers import jwt
from rekindle.providers.base import NotStarted, Pause
from rekindle.providers.http_client import Answer, HttpClient, NotWritten, Unanswered
from rekindle.providers.over_http import by_status, not_written, retry_after_s, told
from rekindle.providers.read_json import mapping, number, parsed, text

SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE_S: Final = 3600
#: Fetched anew so long before it ends.
_RENEW_S: Final = 300
_MAX_TOKEN: Final = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """The key file of a service account, as its fields."""

    project: str
    email: str
    private_key: str = field(repr=False)
    key_id: str
    token_url: str


def read_service_account(key_file: str) -> ServiceAccount:
    """The JSON file as Google hands it out. Raises ValueError with a sentence for the person who pasted it."""
    given = mapping(parsed(key_file))
    if given.get("type") != "service_account":
        raise ValueError("this is not the JSON key file of a Google service account")
    account = ServiceAccount(
        project=text(given.get("project_id")),
        email=text(given.get("client_email")),
        private_key=text(given.get("private_key"), 16_384),
        key_id=text(given.get("private_key_id")),
        token_url=text(given.get("token_uri")),
    )
    if not re.fullmatch(r"[a-z0-9:.-]{4,64}", account.project) or not account.email or not account.token_url:
        raise ValueError("the key file lacks project_id, client_email or token_uri")
    jwt.rsa_key(account.private_key)
    return account


class AccessTokens:
    """Holds one access token; used from one event loop."""

    def __init__(self, account: ServiceAccount, clock: Clock) -> None:
        self._account, self._clock = account, clock
        self._fetching = asyncio.Lock()
        self._token = ""
        self._from = self._until = 0.0

    @property
    def current(self) -> str:
        """The token; empty when there is none that is good now."""
        return self._token if self._from - _RENEW_S <= self._now() < self._until else ""

    @property
    def age_s(self) -> float:
        return self._now() - self._from

    def forget(self) -> None:
        """The token is refused: fetch another one next time."""
        self._token = ""

    async def fetch(self, client: HttpClient) -> NotStarted | None:
        """Have a token that is good for a while. None = there is one; else why not. Raises EgressError."""
        async with self._fetching:
            if self.current and self._now() < self._until - _RENEW_S:
                return None
            trouble = await self._exchange(client)
            return None if self.current else trouble

    async def _exchange(self, client: HttpClient) -> NotStarted:
        now = self._now()
        account = self._account
        claims = {
            "iss": account.email,
            "scope": SCOPE,
            "aud": account.token_url,
            "iat": int(now),
            "exp": int(now) + _LIFE_S,
        }
        assertion = jwt.rs256(claims, account.private_key, key_id=account.key_id)
        exchange = await client.exchange(
            account.token_url,
            "POST",
            headers=(("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")),
            body=urlencode({"grant_type": _GRANT, "assertion": assertion}, quote_via=quote).encode(),
        )
        if isinstance(exchange, NotWritten):
            return not_written(exchange)
        if isinstance(exchange, Unanswered):  # a token that nobody got harms nobody
            return NotStarted("no_answer", f"signing in: {exchange.why}", Pause.BACK_OFF)
        return self._read(exchange.answer, now, assertion)

    def _read(self, answer: Answer, now: float, assertion: str) -> NotStarted:
        body = mapping(parsed(answer.body))
        token, life = text(body.get("access_token"), _MAX_TOKEN), number(body.get("expires_in"))
        if answer.status == 200 and re.fullmatch(r"[\x21-\x7e]+", token) and life is not None and life > 0:
            self._token, self._from, self._until = token, now, now + life
            return NotStarted("sign_in", "the token is not good for long enough", Pause.BACK_OFF)
        error = text(body.get("error"), 80)
        said = told(f"signing in to Google: {error} {text(body.get('error_description'))}", assertion)
        if error and 400 <= answer.status < 500 and answer.status not in {408, 429}:
            return NotStarted(error, said, Pause.OPERATOR)
        outcome = by_status(answer, said)
        if isinstance(outcome, NotStarted):
            return outcome
        return NotStarted(str(answer.status), said, Pause.BACK_OFF, retry_after_s(answer.headers))

    def _now(self) -> float:
        return self._clock.now().timestamp()
