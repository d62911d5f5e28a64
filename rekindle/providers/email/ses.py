"""How does a letter go out through Amazon SES (v2 SendEmail)? The MIME message as it is, signed by our own SigV4.

No idempotency and no search. The send id travels as an e-mail tag and comes back in events that are published through
a configuration set; plain identity notifications carry no tags, there the letter's own header tells.
Sources: botocore model sesv2/2019-09-27, SES developer guide "event publishing".
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from rekindle.lib.clock import SYSTEM_CLOCK, Clock
from rekindle.providers.aws_signature import AwsKey, signed_headers
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
from rekindle.providers.over_http import Dialect, by_status, json_request, retry_after_s, told
from rekindle.providers.read_json import mapping, parsed, text

_CAPABILITIES: Final = Capabilities(signed_webhooks=True)
_BUSY: Final = frozenset(
    {"TooManyRequestsException", "LimitExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded"}
)
#: What only a person can mend; also everything that says 403 (keys, permissions, a clock that is wrong).
_ACCOUNT: Final = frozenset(
    {
        "AccountSuspendedException",
        "SendingPausedException",
        "MailFromDomainNotVerifiedException",
        "NotFoundException",
    }
)
_TAG = re.compile(r"[A-Za-z0-9_.@-]{1,256}")
_UNVERIFIED = re.compile(r"not verified|not authorized|authority to send", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ses(Dialect[Letter, str]):
    """One account in one region. ``base_url`` overrides the regional endpoint (FIPS, a private link, tests)."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str
    session_token: str = field(default="", repr=False)
    configuration_set: str = ""
    base_url: str = ""
    clock: Clock = SYSTEM_CLOCK

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9]{8,128}", self.access_key) or not self.secret_key:
            raise ValueError("Amazon SES needs an access key and its secret")
        if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}", self.region):
            raise ValueError("Amazon SES needs a region such as eu-central-1")
        if not self.base_url:
            suffix = ".cn" if self.region.startswith("cn-") else ""
            object.__setattr__(self, "base_url", f"https://email.{self.region}.amazonaws.com{suffix}")

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.secret_key, self.session_token

    def request(self, message: Letter) -> Request:
        payload: dict[str, object] = {
            "Destination": {"ToAddresses": [message.recipient]},
            "Content": {"Raw": {"Data": b64encode(message.content).decode()}},
        }
        if _TAG.fullmatch(message.send_id):
            payload["EmailTags"] = [{"Name": "send_id", "Value": message.send_id}]
        if self.configuration_set:
            payload["ConfigurationSetName"] = self.configuration_set
        return self._signed(json_request("/v2/email/outbound-emails", payload))

    def outcome(self, answer: Answer, message: Letter) -> Outcome:
        body = mapping(parsed(answer.body))
        if answer.status == 200:
            name = text(body.get("MessageId"), 200)
            return Accepted(name, "200") if name else Uncertain("200 without a message id")
        # The type as header may carry a URL behind a colon, as `__type` a namespace before a hash.
        kind = answer.headers.get("x-amzn-errortype", "") or text(body.get("__type")) or text(body.get("code"))
        kind = kind.partition(":")[0].rpartition("#")[2][:80]
        words = text(body.get("message")) or text(body.get("Message"))
        said = told(f"{kind}: {words}" if kind else "", message.recipient, *self.secrets)
        if kind in _BUSY:
            return NotStarted(kind, said, Pause.BACK_OFF, retry_after_s(answer.headers))
        if kind in _ACCOUNT or (kind == "MessageRejected" and _UNVERIFIED.search(words)):
            return NotStarted(kind, said, Pause.OPERATOR)
        if kind in {"MessageRejected", "BadRequestException"}:
            return Rejected(True, kind, said, Fault.LETTER)
        return by_status(answer, said, code=kind, explained=bool(kind))

    def check_request(self) -> Request:
        return self._signed(Request("GET", "/v2/email/account", (("Accept", "application/json"),)))

    def _signed(self, request: Request) -> Request:
        key = AwsKey(self.access_key, self.secret_key, self.session_token)
        host = urlsplit(self.base_url).netloc.removesuffix(":443")
        return signed_headers(request, key, host=host, region=self.region, service="ses", at=self.clock.now())
