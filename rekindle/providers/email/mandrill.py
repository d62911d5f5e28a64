"""How does a letter go out through Mailchimp Transactional (Mandrill)?

200 does not mean accepted: each recipient has a status of its own, and errors come as 500 with a name that tells what
they are. The structured call is used rather than send-raw, because only it can switch tracking off and carry metadata
as documented fields. Sources: Mandrill API docs "messages", official client libraries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

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
from rekindle.providers.over_http import Dialect, by_status, json_request, key_is_plain, retry_after_s, told
from rekindle.providers.read_json import mapping, parsed, text

_CAPABILITIES: Final = Capabilities(signed_webhooks=True)
_TAKEN: Final = frozenset({"sent", "queued", "scheduled"})
#: Why a recipient was rejected, and whose fault that is; None = the account must be mended first.
_REJECTIONS: Final[Mapping[str, Fault | None]] = {
    "hard-bounce": Fault.RECIPIENT,
    "invalid": Fault.RECIPIENT,
    "spam": Fault.OPTED_OUT,
    "unsub": Fault.OPTED_OUT,
    "soft-bounce": Fault.LETTER,
    "custom": Fault.LETTER,
    "rule": Fault.LETTER,
    "invalid-sender": None,
    "unsigned": None,
    "test-mode-limit": None,
}
#: Names of errors that a person must mend.
_ACCOUNT: Final = frozenset({"Invalid_Key", "PaymentRequired", "Unknown_Subaccount", "AccountSuspended"})
_BUSY: Final = frozenset({"ServiceUnavailable", "Too_Many_Requests", "RateLimited"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandrill(Dialect[Letter, str]):
    """One account."""

    api_key: str = field(repr=False)
    subaccount: str = ""
    base_url: str = "https://mandrillapp.com"

    def __post_init__(self) -> None:
        if not key_is_plain(self.api_key):
            raise ValueError("Mandrill needs an API key")

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.api_key,)

    def request(self, message: Letter) -> Request:
        parts = parts_of(message)
        headers = dict(parts.headers)
        headers["Message-ID"] = f"<{message.message_id}>"
        if parts.reply_to:
            headers["Reply-To"] = parts.reply_to
        letter: dict[str, object] = {
            "from_email": parts.from_address,
            "from_name": parts.from_name,
            "to": [{"email": message.recipient, "name": parts.to_name, "type": "to"}],
            "subject": parts.subject,
            "text": parts.text,
            "html": parts.html,
            "headers": headers,
            "metadata": {"send_id": message.send_id},
            "track_opens": False,
            "track_clicks": False,
            "auto_text": False,
            "auto_html": False,
            "inline_css": False,
            "preserve_recipients": True,
            "view_content_link": False,
            "merge": False,
        }
        if self.subaccount:
            letter["subaccount"] = self.subaccount
        return json_request("/api/1.0/messages/send.json", {"key": self.api_key, "message": letter, "async": False})

    def outcome(self, answer: Answer, message: Letter) -> Outcome:
        body = parsed(answer.body)
        if answer.status == 200 and isinstance(body, list):
            return self._of_recipient(body, message)
        error = mapping(body)
        name = text(error.get("name"), 80)
        said = told(f"{name}: {text(error.get('message'))}" if name else "", message.recipient, *self.secrets)
        if text(error.get("status")) != "error" or not name:
            return by_status(answer, said)
        if name in _ACCOUNT or answer.status in {401, 402}:
            return NotStarted(name, said, Pause.OPERATOR)
        if name in _BUSY or answer.status in {429, 503}:
            return NotStarted(name, said, Pause.BACK_OFF, retry_after_s(answer.headers))
        if name == "GeneralError" or answer.status in {502, 504}:
            return Rejected(False, name, said, Fault.PROVIDER)
        if name.startswith("Unknown_"):
            return NotStarted(name, said, Pause.OPERATOR)
        return Rejected(True, name, said, Fault.LETTER)

    def check_request(self) -> Request:
        return json_request("/api/1.0/users/ping2.json", {"key": self.api_key})

    def _of_recipient(self, results: list[object], message: Letter) -> Outcome:
        if len(results) != 1:
            return Uncertain(f"{len(results)} results for one recipient")
        result = mapping(results[0])
        status, reason = text(result.get("status"), 40), text(result.get("reject_reason"), 80)
        name = text(result.get("_id"), 200)
        if status in _TAKEN:
            return Accepted(name, status) if name else Uncertain(f"{status} without an id")
        if status not in {"rejected", "invalid"}:
            return Uncertain(f"an unknown status: {told(status, message.recipient)}")
        code = f"{status}:{reason}" if reason else status
        fault = Fault.RECIPIENT if status == "invalid" else _REJECTIONS.get(reason, Fault.LETTER)
        if fault is None:
            return NotStarted(code, f"Mandrill refuses every letter: {reason}", Pause.OPERATOR)
        return Rejected(True, code, f"Mandrill refused the recipient: {reason or status}", fault)
