"""How does a short message go out through Twilio? As a form; what became of a lost answer is read from its list.

The send id travels in the query of the status callback. Errors have a code of their own in the body: 21610 is an
opt-out, some concern the number, most concern the account. Sources: twilio/twilio-oai api_v2010, docs "error codes".
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote, urlencode

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
from rekindle.providers.over_http import Dialect, UnsendableError, by_status, key_is_plain, retry_after_s, told
from rekindle.providers.read_json import mapping, members, number, parsed, text

_CAPABILITIES: Final = Capabilities(lookup=True, signed_webhooks=True)
MAX_TEXT: Final = 1_600
#: The longest time that Twilio may keep a message in its queue (spec: ValidityPeriod).
MAX_VALIDITY_S: Final = 36_000
_LIST: Final = 100
#: How far the clocks of both sides may be apart.
_SKEW: Final = timedelta(minutes=2)

_OPTED_OUT: Final = 21610
#: Not a number, or one that can take no message: 21211 invalid · 21635 landline · 21614 not mobile.
_DEAD_NUMBER: Final = frozenset({21211, 21635, 21614})
#: What this one message lacks: 21617 too long · 21604 no recipient · 21602 no text.
_MESSAGE: Final = frozenset({21617, 21604, 21602})
#: Load: 20429 too many requests · 14107 too fast for the number · 20503 unavailable.
_BUSY: Final = frozenset({20429, 14107, 20503})
#: The shop must mend it: 20003 credentials · 20005 inactive · 21603, 21606, 21659, 21660, 21703, 21705 sender · 21408
#: region not allowed · 30034 number not registered. 21612 (no route from this sender to that number) is one message's.
_ACCOUNT: Final = frozenset({20003, 20005, 20008, 21603, 21606, 21659, 21660, 21703, 21705, 21408, 30034})

_SID = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Twilio(Dialect[Sms, SmsTrace]):
    """One account. Authenticated by its token, or by an API key (``key_sid``, SK…) whose secret is ``secret``.

    Without a ``messaging_service`` (MG…) every message needs a sender.
    """

    account_sid: str
    secret: str = field(repr=False)
    key_sid: str = ""
    messaging_service: str = ""
    base_url: str = "https://api.twilio.com"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"AC[0-9a-fA-F]{32}", self.account_sid) or not key_is_plain(self.secret):
            raise ValueError("Twilio needs an account SID (AC and 32 hexadecimal digits) and a token")
        if self.key_sid and not re.fullmatch(r"SK[0-9a-fA-F]{32}", self.key_sid):
            raise ValueError("a Twilio API key begins with SK")
        if self.messaging_service and not re.fullmatch(r"MG[0-9a-fA-F]{32}", self.messaging_service):
            raise ValueError("a Twilio messaging service begins with MG")

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.secret,)

    def request(self, message: Sms) -> Request:
        if not message.text or len(message.text) > MAX_TEXT:
            raise UnsendableError("21617", f"Twilio takes 1 to {MAX_TEXT} characters")
        if message.valid_for_s < 1:
            raise UnsendableError("expired", "the message is not valid any more")
        fields = {
            "To": message.recipient,
            "Body": message.text,
            "ValidityPeriod": str(min(message.valid_for_s, MAX_VALIDITY_S)),
        }
        if message.sender:
            fields["From"] = message.sender
        if self.messaging_service:
            fields["MessagingServiceSid"] = self.messaging_service
        if not message.sender and not self.messaging_service:
            raise UnsendableError("21603", "Twilio needs a sender or a messaging service")
        if message.report_url:
            separator = "&" if "?" in message.report_url else "?"
            fields["StatusCallback"] = f"{message.report_url}{separator}send_id={quote(message.send_id, safe='')}"
        try:
            body = urlencode(fields, quote_via=quote, safe="").encode()
        except UnicodeEncodeError:
            raise UnsendableError("encoding", "the text cannot be written as UTF-8") from None
        headers = (("Content-Type", "application/x-www-form-urlencoded"), self._authorization())
        return Request("POST", self._path("Messages.json"), headers, body)

    def outcome(self, answer: Answer, message: Sms) -> Outcome:
        body = mapping(parsed(answer.body))
        if answer.status in {200, 201}:
            sid = text(body.get("sid"), 64)
            if not _SID.fullmatch(sid):
                return Uncertain(f"{answer.status} without a message SID")
            return Accepted(sid, text(body.get("status"), 40) or str(answer.status))
        code = number(body.get("code"))
        said = told(f"{code:.0f}: {text(body.get('message'))}" if code else "", message.recipient, *self.secrets)
        if code is None:
            return by_status(answer, said)
        return _refusal(int(code), said, answer)

    def check_request(self) -> Request:
        return Request("GET", f"/2010-04-01/Accounts/{self.account_sid}.json", (self._authorization(),))

    def lookup_request(self, trace: SmsTrace) -> Request:
        """The newest messages to this number. By recipient alone: a queued message has no date of sending yet, and a
        filter on it would hide exactly the message that is looked for."""
        query = urlencode({"To": trace.recipient, "PageSize": str(_LIST)}, quote_via=quote, safe="")
        return Request("GET", self._path(f"Messages.json?{query}"), (self._authorization(),))

    def was_accepted(self, answer: Answer, trace: SmsTrace) -> bool | None:
        body = mapping(parsed(answer.body))
        found = body.get("messages")
        if answer.status != 200 or not isinstance(found, list) or not trace.marker:
            return None
        messages = [mapping(one) for one in members(found)]
        if any(trace.marker in text(one.get("body")) for one in messages):
            return True
        made = [_instant(one.get("date_created")) for one in messages]
        since = trace.since.astimezone(UTC) - _SKEW
        # Not a no: a message without readable text or date, or a list that does not reach back far enough.
        unclear = [
            at is None or (at >= since and not text(one.get("body"))) for one, at in zip(messages, made, strict=True)
        ]
        reaches_back = not body.get("next_page_uri") or any(at is not None and at < since for at in made)
        return None if any(unclear) or not reaches_back else False

    def _path(self, end: str) -> str:
        return f"/2010-04-01/Accounts/{self.account_sid}/{end}"

    def _authorization(self) -> tuple[str, str]:
        pair = f"{self.key_sid or self.account_sid}:{self.secret}"
        return "Authorization", "Basic " + b64encode(pair.encode()).decode()


def _refusal(code: int, said: str, answer: Answer) -> Outcome:
    if code == _OPTED_OUT:
        return Rejected(True, str(code), said, Fault.OPTED_OUT)
    if code in _DEAD_NUMBER:
        return Rejected(True, str(code), said, Fault.RECIPIENT)
    if code in _MESSAGE:
        return Rejected(True, str(code), said, Fault.LETTER)
    if code in _BUSY or answer.status == 429:
        return NotStarted(str(code), said, Pause.BACK_OFF, retry_after_s(answer.headers))
    if code in _ACCOUNT:
        return NotStarted(str(code), said, Pause.OPERATOR)
    return by_status(answer, said, code=str(code), explained=True)


def _instant(value: object) -> datetime | None:
    try:
        at = parsedate_to_datetime(text(value))
    except (ValueError, TypeError, IndexError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
