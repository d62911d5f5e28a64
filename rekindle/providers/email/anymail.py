"""How does a letter go out through one of django-anymail's other providers? Anymail translates, our own client sends.

Optional (docs/howto/provider-accounts.md). Anymail makes the request and reads the answer; it never opens a
connection: the promises of `providers.base` about locks, doubt and egress hold here as everywhere. Providers that need
more than HTTP (Amazon SES) are not taken; they have adapters of their own.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from rekindle.providers.base import Accepted, Capabilities, Fault, Letter, Outcome, Rejected, Uncertain
from rekindle.providers.http_client import Answer, Request
from rekindle.providers.letter_parts import parts_of
from rekindle.providers.over_http import Dialect, UnsendableError, by_status, named, told
from rekindle.providers.read_json import mapping, parsed

_ESP = re.compile(r"[a-z][a-z_]{1,30}")
_HINT: Final = "django-anymail is not installed; how to add it: docs/howto/provider-accounts.md, Other providers"
#: Written by our client itself.
_OWN: Final = frozenset({"host", "content-length", "connection", "accept-encoding", "user-agent", "transfer-encoding"})
_TAKEN: Final = frozenset({"sent", "queued"})


def is_installed() -> bool:
    """Is the optional package there?"""
    return importlib.util.find_spec("anymail") is not None


class Anymail(Dialect[Letter, str]):
    """One account. ``esp`` is the name of Anymail's backend module, ``settings`` its settings as a JSON object, such as
    ``{"api_token": "..."}``. Raises ValueError."""

    def __init__(self, esp: str, settings: str) -> None:
        self._backend = _backend(esp, settings)
        parts = urlsplit(str(self._backend.api_url))
        self.base_url = f"{parts.scheme}://{parts.netloc}"
        hidden = msgspec.json.decode(settings.encode(), type=dict[str, object])
        self._secrets = tuple(value for value in hidden.values() if isinstance(value, str) and len(value) > 5)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    @property
    def secrets(self) -> tuple[str, ...]:
        return self._secrets

    def request(self, message: Letter) -> Request:
        from anymail.exceptions import AnymailError

        try:
            payload = self._payload(message)
            wanted = dict(payload.get_request_params(self._backend.api_url))
        except AnymailError as fault:
            raise UnsendableError(type(fault).__name__, told(str(fault), message.recipient, *self._secrets)) from None
        return self._over(wanted)

    def outcome(self, answer: Answer, message: Letter) -> Outcome:
        from anymail.exceptions import AnymailError

        said = told(answer.body.decode("utf-8", "replace"), message.recipient, *self._secrets)
        if not 200 <= answer.status < 300:
            return by_status(answer, said, explained=bool(mapping(parsed(answer.body))))
        try:
            payload = self._payload(message)
            statuses = self._backend.parse_recipient_status(_response(answer), payload, None)
        except (AnymailError, KeyError, ValueError, TypeError) as fault:
            return Uncertain(f"{answer.status} with an answer that tells nothing: {type(fault).__name__}")
        (status,) = [*statuses.values()][:1] or [None]
        return _judged(status, answer, said)

    def check_request(self) -> Request:
        return Request("GET", urlsplit(str(self._backend.api_url)).path or "/", ())

    def is_welcome(self, answer: Answer) -> bool:
        """Anymail has no question that sends nothing; this only tells that somebody answers."""
        return answer.status < 500

    def _payload(self, message: Letter) -> Any:
        from anymail.exceptions import AnymailUnsupportedFeature

        mail = _mail(message)
        mail.metadata = {"send_id": message.send_id}
        try:
            return self._backend.build_message_payload(mail, self._backend.send_defaults)
        except AnymailUnsupportedFeature:  # the header names the send too
            del mail.metadata
            return self._backend.build_message_payload(mail, self._backend.send_defaults)

    def _over(self, wanted: dict[str, Any]) -> Request:
        import requests

        wanted.pop("timeout", None)
        prepared = requests.Request(**wanted).prepare()
        parts = urlsplit(str(prepared.url))
        if f"{parts.scheme}://{parts.netloc}" != self.base_url:
            raise UnsendableError("origin", "the provider wants another host for this letter")
        body = prepared.body or b""
        if not isinstance(body, bytes | str):
            raise UnsendableError("body", "the provider wants a body that is not known beforehand")
        headers = tuple((name, str(value)) for name, value in prepared.headers.items() if name.lower() not in _OWN)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Request(str(prepared.method), target, headers, body.encode() if isinstance(body, str) else body)


def _backend(esp: str, settings: str) -> Any:
    if not _ESP.fullmatch(esp):
        raise ValueError("the provider is a name of Anymail's, such as mailersend")
    try:
        base = importlib.import_module("anymail.backends.base_requests").AnymailRequestsBackend
        errors = importlib.import_module("anymail.exceptions")
    except ModuleNotFoundError:
        raise ValueError(_HINT) from None
    try:
        kind = importlib.import_module(f"anymail.backends.{esp}").EmailBackend
    except (ImportError, AttributeError):
        raise ValueError(f"Anymail has no provider {esp}") from None
    if not issubclass(kind, base):
        raise ValueError(f"{esp} is not reached over plain HTTP")
    try:
        given = msgspec.json.decode(settings.encode(), type=dict[str, Any])
    except msgspec.DecodeError:
        raise ValueError('the settings are a JSON object, such as {"api_token": "..."}') from None
    try:
        return kind(**given)
    except (errors.AnymailError, errors.AnymailConfigurationError, TypeError) as mistake:
        raise ValueError(f"Anymail refuses these settings: {type(mistake).__name__}") from None


def _mail(message: Letter) -> Any:
    from django.core.mail import EmailMultiAlternatives

    parts = parts_of(message)
    mail = EmailMultiAlternatives(
        subject=parts.subject,
        body=parts.text,
        from_email=named(parts.from_address, parts.from_name),
        to=[named(message.recipient, parts.to_name)],
        reply_to=[parts.reply_to] if parts.reply_to else None,
        headers={**dict(parts.headers), "Message-ID": f"<{message.message_id}>"},
    )
    if parts.html:
        mail.attach_alternative(parts.html, "text/html")
    return mail


def _response(answer: Answer) -> Any:
    import requests

    response = requests.Response()
    response.status_code = answer.status
    response._content = answer.body
    response.headers.update(answer.headers)
    return response


def _judged(status: Any, answer: Answer, said: str) -> Outcome:
    """What Anymail read out of an answer that says yes."""
    word, name = getattr(status, "status", None), getattr(status, "message_id", None)
    if word in _TAKEN and name:
        return Accepted(str(name)[:300], str(answer.status))
    if word == "invalid":
        return Rejected(True, word, said, Fault.RECIPIENT)
    if word == "rejected":
        return Rejected(True, word, said, Fault.LETTER)
    return Uncertain(f"{answer.status} without a word about the recipient")
