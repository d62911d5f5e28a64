"""Which adapter belongs to a stored provider account? Options and opened secret in, a provider out.

SMTP keeps its password as the secret. The providers of the catalogue keep their secret fields as a JSON object, and the
others in the options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from rekindle.lib.clock import SYSTEM_CLOCK, Clock
from rekindle.providers.base import EmailProvider, PushProvider, SmsProvider
from rekindle.providers.email.smtp import SmtpProvider, SmtpSettings, Timeouts, Tls
from rekindle.providers.sandbox import KIND as SANDBOX
from rekindle.providers.sandbox import Sandbox
from rekindle.terms.send import Channel

if TYPE_CHECKING:
    from rekindle.providers.catalogue import ProviderKind
    from rekindle.providers.http_client import HttpClient, HttpSettings

SMTP: Final = "smtp"
#: To one server, of one worker; servers commonly allow ten.
DEFAULT_CONNECTIONS: Final = 8
#: These take the letter as it is; the others build it themselves, from its parts.
_TAKE_MIME: Final = frozenset({"mailgun", "ses"})

Provider: TypeAlias = EmailProvider | SmsProvider | PushProvider
#: Makes a provider from an account's kind, options and opened secret. Raises ValueError for options that mean nothing.
MakeProvider: TypeAlias = Callable[[str, dict[str, object], bytes], Provider]


class Maker:
    """A `MakeProvider` for one event loop: its accounts share an HTTP client, which `close` closes.

    ``sandbox``: the installation is a trial, and accounts at the sandbox work. ``push_hosts``: push services besides
    the known ones; ``http`` says so itself.
    """

    def __init__(
        self,
        clock: Clock = SYSTEM_CLOCK,
        http: HttpSettings | None = None,
        *,
        sandbox: bool = False,
        push_hosts: tuple[str, ...] = (),
    ) -> None:
        self._clock, self._settings, self._sandbox, self._push_hosts = clock, http, sandbox, push_hosts
        self._client: HttpClient | None = None

    def __call__(self, kind: str, options: Mapping[str, object], secret: bytes) -> Provider:
        if kind == SMTP:
            return SmtpProvider(smtp_settings(options, secret))
        if kind == SANDBOX:
            if not self._sandbox:
                raise ValueError("this installation is no trial: the sandbox sends nothing")
            return Sandbox()
        found = _kind(kind)
        if found is None:
            raise ValueError(f"there is no provider of the kind {kind}")
        if self._client is None:
            from rekindle.providers.http_client import HttpClient

            self._client = HttpClient(self.http())
        return found.provider(self._client, account_values(options, secret), clock=self._clock)

    def http(self) -> HttpSettings:
        """How its accounts may reach the world."""
        from rekindle.providers.http_client import EgressRules, HttpSettings

        return self._settings or HttpSettings(rules=EgressRules(push_hosts=self._push_hosts))

    async def close(self) -> None:
        """Let go of the connections of the accounts, which are closed already."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()


@lru_cache(maxsize=64)
def needs_parts(kind: str) -> bool:
    """Does a letter for an account of this kind have to say its pieces?"""
    found = _kind(kind)
    return found is not None and found.channel is Channel.EMAIL and kind not in _TAKE_MIME


def starts_slowly(kind: str) -> bool:
    """Is only a first call the proof that the account's key is good?"""
    return _kind(kind) is not None


def _kind(name: str) -> ProviderKind | None:
    """The catalogue is not read for SMTP: its twenty adapters and their cryptography are half of a worker's start."""
    if name == SMTP:
        return None
    from rekindle.providers.catalogue import KINDS

    return KINDS.get(name)


def account_values(options: Mapping[str, object], secret: bytes) -> dict[str, str]:
    """What was typed in for an account of the catalogue. Raises ValueError for a secret that cannot be read."""
    try:
        hidden = msgspec.json.decode(secret, type=dict[str, str]) if secret else {}
    except msgspec.DecodeError:
        raise ValueError("the stored secret is not one of this kind of account") from None
    return {name: str(value) for name, value in options.items()} | hidden


def sealed_values(values: Mapping[str, str]) -> bytes:
    """The secret fields of an account as they are sealed."""
    return msgspec.json.encode(dict(values))


def make_provider(
    kind: str, options: Mapping[str, object], secret: bytes, *, timeouts: Timeouts | None = None
) -> EmailProvider:
    """An SMTP provider, not opened yet. Raises ValueError for a kind or options that mean nothing."""
    if kind != SMTP:
        raise ValueError(f"there is no provider of the kind {kind}")
    return SmtpProvider(smtp_settings(options, secret, timeouts=timeouts))


def smtp_settings(options: Mapping[str, object], secret: bytes, *, timeouts: Timeouts | None = None) -> SmtpSettings:
    """``options``: host, port, tls, username, connections; and for relays of one's own ca_file, allow_cleartext_login.

    ``secret`` is the password. Raises ValueError.
    """
    port = options.get("port", 587)
    if isinstance(port, bool) or not isinstance(port, int):
        raise ValueError("SMTP needs a port that is a whole number")
    connections = options.get("connections", DEFAULT_CONNECTIONS)
    if isinstance(connections, bool) or not isinstance(connections, int):
        raise ValueError("SMTP needs a whole number of connections")
    return SmtpSettings(
        host=str(options.get("host", "")),
        port=port,
        tls=Tls(str(options.get("tls", Tls.REQUIRED.value))),
        username=str(options.get("username", "")),
        password=secret.decode(),
        ca_file=str(options.get("ca_file", "")),
        connections=connections,
        allow_cleartext_login=options.get("allow_cleartext_login") is True,
        timeouts=timeouts or Timeouts(),
    )
