"""How is an SMTP connection opened? Connect, greet, encrypt, log in; every step can say why it failed.

Raises `SmtpUnavailableError` with the outcome for letters that were waiting: none of them was started.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable
from typing import cast

from rekindle.providers.base import NotStarted, Pause
from rekindle.providers.email.smtp.replies import Command, Reply, refusal
from rekindle.providers.email.smtp.settings import SmtpSettings, Tls
from rekindle.providers.email.smtp.wire import Wire


class SmtpUnavailableError(Exception):
    """No connection; ``outcome`` says why and what the account needs."""

    def __init__(self, outcome: NotStarted) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


async def connect(settings: SmtpSettings, changed: Callable[[Wire], None]) -> Wire:
    """A connection that is ready for letters. Raises SmtpUnavailableError."""
    wire = Wire(settings.timeouts, changed)
    try:
        await _set_up(settings, wire)
    except ssl.SSLCertVerificationError as fault:
        detail = f"the server's certificate is not trusted: {fault.verify_message}"
        raise SmtpUnavailableError(NotStarted("tls", detail, Pause.OPERATOR)) from None
    except ssl.SSLError as fault:
        raise SmtpUnavailableError(NotStarted("tls", f"no TLS: {fault.reason}", Pause.BACK_OFF)) from None
    except TimeoutError:
        raise SmtpUnavailableError(NotStarted("timeout", "no answer in time", Pause.BACK_OFF)) from None
    except OSError as fault:
        detail = fault.strerror or str(fault) or type(fault).__name__
        raise SmtpUnavailableError(NotStarted("connect", f"no connection: {detail}"[:300], Pause.BACK_OFF)) from None
    except UnicodeError:
        raise SmtpUnavailableError(NotStarted("connect", "the host name is not valid", Pause.OPERATOR)) from None
    wire.ready()
    return wire


async def _set_up(settings: SmtpSettings, wire: Wire) -> None:
    try:
        await _open(settings, wire)
        reply = await wire.reply(settings.timeouts.connect)
        if reply.code != 220:
            raise _unavailable(reply, "connect")
        await _greet(settings, wire)
        if settings.tls in {Tls.REQUIRED, Tls.OPPORTUNISTIC}:
            await _start_tls(settings, wire)
        if settings.username:
            await _log_in(settings, wire)
    except BaseException:  # also when the caller is cancelled: no half-open connection stays
        wire.abort()
        raise


async def _open(settings: SmtpSettings, wire: Wire) -> None:
    context = settings.tls_context() if settings.tls is Tls.IMPLICIT else None
    async with asyncio.timeout(settings.timeouts.connect):
        await asyncio.get_running_loop().create_connection(
            lambda: wire,
            settings.host,
            settings.port,
            ssl=context,
            server_hostname=settings.host if context else None,
        )


async def _greet(settings: SmtpSettings, wire: Wire) -> None:
    name = settings.client_name or _literal(wire)
    reply = await wire.command(f"EHLO {name}")
    if reply.ok:
        lines = reply.text.split("\n")[1:]
        words = [line.strip().partition(" ") for line in lines if line.strip()]
        wire.extensions = {keyword.upper(): value.strip() for keyword, _, value in words}
        for keyword in list(wire.extensions):
            if keyword.startswith("AUTH="):  # an old spelling that some servers still send beside the right one
                old = wire.extensions.pop(keyword)
                wire.extensions.setdefault("AUTH", f"{keyword[5:]} {old}".strip())
        return
    if reply.code < 500:
        raise _unavailable(reply, "ehlo")
    reply = await wire.command(f"HELO {name}")
    if not reply.ok:
        raise _unavailable(reply, "ehlo")
    wire.extensions = {}


def _literal(wire: Wire) -> str:
    """Our end of the connection as an address literal, RFC 5321 4.1.3: true without naming the machine."""
    host = str(wire.transport.get_extra_info("sockname", ("127.0.0.1",))[0]).partition("%")[0]
    return f"[IPv6:{host}]" if ":" in host else f"[{host}]"


async def _start_tls(settings: SmtpSettings, wire: Wire) -> None:
    if "STARTTLS" not in wire.extensions:
        if settings.tls is Tls.OPPORTUNISTIC:
            return
        detail = "the server offers no STARTTLS and the account demands encryption"
        raise SmtpUnavailableError(NotStarted("tls", detail, Pause.OPERATOR))
    reply = await wire.command("STARTTLS")
    if reply.code != 220:
        raise _unavailable(reply, "connect")
    wire.forget_clear_text()
    async with asyncio.timeout(settings.timeouts.connect):
        transport = await asyncio.get_running_loop().start_tls(
            wire.transport, wire, settings.tls_context(), server_hostname=settings.host
        )
    wire.use(cast(asyncio.Transport, transport))
    await _greet(settings, wire)


async def _log_in(settings: SmtpSettings, wire: Wire) -> None:
    offered = wire.extensions.get("AUTH", "").upper().split()
    if "PLAIN" in offered:
        secret = _base64(f"\0{settings.username}\0{settings.password}")
        reply = await wire.command(f"AUTH PLAIN {secret}")
    elif "LOGIN" in offered:
        reply = await wire.command("AUTH LOGIN")
        for word in (settings.username, settings.password):
            if reply.code == 334:
                reply = await wire.command(_base64(word))
    else:
        detail = "the server offers neither AUTH PLAIN nor AUTH LOGIN"
        raise SmtpUnavailableError(NotStarted("auth", detail, Pause.OPERATOR))
    if reply.code != 235:
        raise _unavailable(reply, "auth")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _unavailable(reply: Reply, command: Command) -> SmtpUnavailableError:
    outcome = refusal(reply, command)
    if not isinstance(outcome, NotStarted):
        outcome = NotStarted(reply.label, f"{command}: {reply.code}", Pause.BACK_OFF)
    return SmtpUnavailableError(outcome)
