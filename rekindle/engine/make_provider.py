"""Which adapter belongs to a stored provider account? Options and opened secret in, a provider out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rekindle.providers.base import EmailProvider
from rekindle.providers.email.smtp import SmtpProvider, SmtpSettings, Timeouts, Tls

SMTP: Final = "smtp"
#: To one server, of one worker; servers commonly allow ten.
DEFAULT_CONNECTIONS: Final = 8


def make_provider(
    kind: str, options: Mapping[str, object], secret: bytes, *, timeouts: Timeouts | None = None
) -> EmailProvider:
    """A provider, not opened yet. Raises ValueError for a kind or options that mean nothing."""
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
