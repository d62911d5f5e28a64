"""How does a message reach apps? Firebase Cloud Messaging HTTP v1: one request for each device; iPhones through it.

The message has a text for every system, and what only Android (`android`) or Apple (`apns`) understands. It cannot be
asked afterwards. Sources: Google's discovery document fcm:v1, firebase.google.com "ErrorCode", and Apple's "Generating
a remote notification" for `aps`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from rekindle.lib.clock import SYSTEM_CLOCK, Clock
from rekindle.providers.base import (
    Accepted,
    Capabilities,
    Device,
    Fault,
    NotStarted,
    Outcome,
    Pause,
    Push,
    Rejected,
    Uncertain,
)
from rekindle.providers.http_client import Answer, HttpClient, Request
from rekindle.providers.over_http import (
    Dialect,
    HttpProvider,
    UnsendableError,
    by_status,
    json_request,
    retry_after_s,
    told,
)
from rekindle.providers.push.combine import all_answered
from rekindle.providers.push.service_account import AccessTokens, ServiceAccount, read_service_account
from rekindle.providers.read_json import mapping, members, parsed, text

_CAPABILITIES: Final = Capabilities()
#: Google: at most four weeks, and 4096 bytes of payload.
_MAX_TTL_S: Final = 28 * 86_400
MAX_PAYLOAD: Final = 4_096
#: A token that is younger than that and refused is not out of date: the account is.
_FRESH_S: Final = 60.0
_NAME = re.compile(r"projects/[^/]+/messages/[^/]+")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True)
class PushToOne:
    """A message, for one of its devices."""

    message: Push
    device: Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Fcm(Dialect[PushToOne, str]):
    """One Firebase project. ``key_file``: the JSON key of a service account that may send messages."""

    key_file: str = field(repr=False)
    base_url: str = "https://fcm.googleapis.com"
    clock: Clock = SYSTEM_CLOCK
    _account: ServiceAccount = field(init=False, repr=False, compare=False)
    _tokens: AccessTokens = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        account = read_service_account(self.key_file)
        object.__setattr__(self, "_account", account)
        object.__setattr__(self, "_tokens", AccessTokens(account, self.clock))

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self._account.private_key, self._tokens.current)

    async def sign_in(self, client: HttpClient) -> NotStarted | None:
        return await self._tokens.fetch(client)

    def request(self, message: PushToOne) -> Request:
        content = self._message(message.message)
        request = self._send({"message": {"token": message.device.address, **content}})
        size = len(msgspec.json.encode({name: content[name] for name in ("notification", "data")}))
        if size > MAX_PAYLOAD:
            raise UnsendableError("INVALID_ARGUMENT", f"a message has at most {MAX_PAYLOAD} bytes, this one {size}")
        return request

    def outcome(self, answer: Answer, message: PushToOne) -> Outcome:
        body = mapping(parsed(answer.body))
        if answer.status == 200:
            name = text(body.get("name"), 200)
            return Accepted(name, "200") if _NAME.fullmatch(name) else Uncertain("200 without a message name")
        error = mapping(body.get("error"))
        code, fields = _details(error)
        code = code or text(error.get("status"), 40)
        said = told(f"{code}: {text(error.get('message'))}" if code else "", message.device.address, *self.secrets)
        return self._refusal(answer, code, fields, said)

    def check_request(self) -> Request:
        """A message that Google only validates (`validateOnly`)."""
        return self._send(
            {"validateOnly": True, "message": {"topic": "rekindle", "notification": {"title": "Rekindle"}}}
        )

    def _refusal(self, answer: Answer, code: str, fields: Sequence[str], said: str) -> Outcome:
        if code == "UNREGISTERED":
            return Rejected(True, code, said, Fault.RECIPIENT)
        if code == "INVALID_ARGUMENT" and any(name in {"message.token", "token"} for name in fields):
            return Rejected(True, code, said, Fault.RECIPIENT)
        if code == "SENDER_ID_MISMATCH":  # of another project: no fault of the device
            return Rejected(True, code, said, Fault.LETTER)
        if code in {
            "THIRD_PARTY_AUTH_ERROR",
            "APNS_AUTH_ERROR",
        }:  # the project's key for Apple: Android is not affected
            return Rejected(False, code, said, Fault.PROVIDER)
        if code in {"QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED", "UNAVAILABLE"}:
            return NotStarted(code, said, Pause.BACK_OFF, retry_after_s(answer.headers))
        if answer.status == 401:
            is_fresh = self._tokens.age_s < _FRESH_S
            self._tokens.forget()
            return NotStarted("401", said or "the token is refused", Pause.OPERATOR if is_fresh else Pause.NONE)
        return by_status(answer, said, code=code, explained=bool(code))

    def _message(self, message: Push) -> dict[str, object]:
        if message.valid_for_s < 1:
            raise UnsendableError("expired", "the message is not valid any more")
        if not _TOPIC.fullmatch(message.topic):
            raise UnsendableError("topic", "a topic has 1 to 32 letters, digits, dashes or underscores")
        life_s = min(message.valid_for_s, _MAX_TTL_S)
        shown = {"title": message.title, "body": message.body}
        data = {"rekindle_send": message.send_id, "url": message.url}
        if message.actions:
            actions = [{"title": action.title, "url": action.url} for action in message.actions]
            data["actions"] = msgspec.json.encode(actions).decode()
        return {
            "notification": shown | ({"image": message.image} if message.image else {}),
            "data": data,
            "android": {
                "ttl": f"{life_s}s",
                "priority": "HIGH" if message.is_urgent else "NORMAL",
                "collapseKey": message.topic,
                "notification": {"tag": message.topic},
            },
            "apns": self._apns(message, life_s),
        }

    def _apns(self, message: Push, life_s: int) -> dict[str, object]:
        expires = int(self.clock.now().timestamp()) + life_s
        aps: dict[str, object] = {"alert": {"title": message.title, "body": message.body}, "sound": "default"}
        options: dict[str, object] = {}
        if message.image:  # an extension of the app fetches the picture only when it may change the message
            aps["mutable-content"], options = 1, {"fcmOptions": {"image": message.image}}
        headers = {
            "apns-push-type": "alert",
            "apns-priority": "10" if message.is_urgent else "5",
            "apns-expiration": str(expires),
            "apns-collapse-id": message.topic,
        }
        return {"headers": headers, "payload": {"aps": aps}, **options}

    def _send(self, body: Mapping[str, object]) -> Request:
        path = f"/v1/projects/{self._account.project}/messages:send"
        return json_request(path, body, ("Authorization", f"Bearer {self._tokens.current}"))


class FcmProvider:
    """A `PushProvider` for apps. ``client`` is shared and stays open when this account is closed."""

    def __init__(self, client: HttpClient, account: Fcm) -> None:
        self._each: HttpProvider[PushToOne, str] = HttpProvider(client, account)
        self._devices: list[int] = []  # of the messages to come
        self._width = 0

    @property
    def capabilities(self) -> Capabilities:
        return self._each.capabilities

    @property
    def start_width(self) -> int:
        return self._width if self._each.start_width else 0

    @property
    def trouble(self) -> NotStarted | None:
        return self._each.trouble

    async def open(self) -> None:
        await self._each.open()

    async def check(self) -> NotStarted | None:
        """Are the credentials good? None = yes; nothing is sent."""
        return await self._each.check()

    def expect(self, messages: Sequence[Push]) -> None:
        self._devices = [len(message.devices) for message in messages]
        self._width = 0

    async def prepare(self, width: int) -> int:
        """How many whole messages there are connections for, one for each of their devices."""
        ready = await self._each.prepare(sum(self._devices[:width]))
        self._width = 0
        for needed in self._devices[:width]:
            if ready < needed:
                break
            ready -= needed
            self._width += 1
        return self._width

    def start(self, messages: Sequence[Push]) -> list[asyncio.Future[Outcome]]:
        self._width = max(self._width - len(messages), 0)
        return [
            all_answered(one.devices, self._each.start([PushToOne(one, device) for device in one.devices]))
            for one in messages
        ]

    async def close(self) -> None:
        await self._each.close()


def _details(error: Mapping[str, object]) -> tuple[str, list[str]]:
    """FCM's own code, and the fields that are named as wrong."""
    code, fields = "", []
    for one in members(error.get("details")):
        detail = mapping(one)
        code = code or text(detail.get("errorCode"), 40)
        fields += [text(mapping(wrong).get("field"), 80) for wrong in members(detail.get("fieldViolations"))]
    return code, fields
