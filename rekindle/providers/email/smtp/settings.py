"""How is an SMTP server reached? The settings of one account, checked when they are made."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field
from enum import StrEnum


class Tls(StrEnum):
    """When the connection is encrypted. There is no fall-back: what was asked for happens or nothing does."""

    #: From the first byte (port 465).
    IMPLICIT = "implicit"
    #: After STARTTLS (port 587); a server that does not offer it is refused.
    REQUIRED = "starttls"
    #: After STARTTLS where it is offered, any certificate: against listeners only, so it carries no password.
    OPPORTUNISTIC = "opportunistic"
    #: Never: for a relay on the same machine or network.
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. RFC 5321 4.5.3.2 asks for minutes; a server that needs them holds a worker's letters as long.

    ``final`` is the reply to the final dot: the server may already be delivering, and whoever gives up early makes an
    uncertain send, so it has the RFC's ten minutes. ``drain``: how long `close` waits for letters under way.
    """

    connect: float = 30.0
    command: float = 60.0
    final: float = 600.0
    close: float = 5.0
    drain: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """One account. Raises ValueError for a combination that would send a password in clear text.

    ``client_name`` greets the server (EHLO); empty = the address literal of our end. ``letters_per_connection``: many
    servers end a connection after some hundred. ``ca_file`` names the authorities to trust instead of the system's, for
    a relay of one's own.
    """

    host: str
    port: int = 587
    tls: Tls = Tls.REQUIRED
    username: str = ""
    password: str = field(default="", repr=False)
    client_name: str = ""
    ca_file: str = ""
    connections: int = 8
    letters_per_connection: int = 500
    check_after_s: float = 15.0
    close_after_s: float = 60.0
    allow_cleartext_login: bool = False
    timeouts: Timeouts = field(default_factory=Timeouts)

    def __post_init__(self) -> None:
        if not self.host or any(c.isspace() for c in self.host) or not 1 <= self.port <= 65_535:
            raise ValueError("SMTP needs a host and a port from 1 to 65535")
        if not 1 <= self.connections <= 256 or self.letters_per_connection < 1:
            raise ValueError("SMTP needs 1 to 256 connections and at least one letter on each")
        if any(not c.isascii() or c.isspace() for c in self.client_name):
            raise ValueError("the SMTP client name must be ASCII without spaces")
        if self.username and self.tls in {Tls.NONE, Tls.OPPORTUNISTIC}:
            allowed = self.tls is Tls.NONE and self.allow_cleartext_login and _is_loopback(self.host)
            if not allowed:
                raise ValueError("an SMTP password needs TLS (starttls or implicit); clear text only to this machine")

    def tls_context(self) -> ssl.SSLContext:
        """Verifies certificate and host name, except where encryption is only opportunistic."""
        context = ssl.create_default_context(cafile=self.ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.tls is Tls.OPPORTUNISTIC:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
