"""What mail has arrived? An SMTP server on loopback that keeps the newest mail and lets callers wait for it."""

from __future__ import annotations

import socket
from asyncio import AbstractServer
from collections.abc import Awaitable, Callable

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from rekindle.lib.clock import SYSTEM_CLOCK, Clock
from rekindle.simulate.inbox.mailbox import CAPACITY, Mailbox, Test
from rekindle.simulate.inbox.received import ReceivedMail, parse
from rekindle.simulate.inbox.web import InboxPages
from rekindle.simulate.serve_wsgi import Site

MAX_MAIL_BYTES = 10_000_000


class _Receiver:
    """aiosmtpd's handler: each mail that is accepted is in the mailbox before the 250 goes out."""

    def __init__(self, mailbox: Mailbox, clock: Clock, refuse: Callable[[str], str | None]) -> None:
        self._mailbox = mailbox
        self._clock = clock
        self._refuse = refuse

    async def handle_RCPT(  # noqa: N802  aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self._refuse(address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        raw = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content or "").encode()
        sender, recipients = envelope.mail_from or "", tuple(envelope.rcpt_tos)
        now = self._clock.now()
        self._mailbox.add(
            lambda number: parse(raw, number=number, received_at=now, sender=sender, recipients=recipients)
        )
        return "250 2.0.0 OK"


class _Server(Controller):
    """A controller that listens on a socket bound before, so that port 0 can take a free one."""

    def __init__(self, handler: _Receiver, host: str, port: int) -> None:
        self._socket = socket.create_server((host, port))
        super().__init__(
            handler,
            hostname=host,
            port=self._socket.getsockname()[1],
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
            ident="Rekindle demo inbox",
        )

    def _create_server(self) -> Awaitable[AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._socket)


class Inbox:
    """SMTP in, web page out. Ports of 0 take free ones; read them from ``smtp_port`` and ``http_port``.

    ``refuse`` may answer a recipient with an SMTP reply such as "550 5.1.1 no such mailbox".
    """

    def __init__(
        self,
        smtp_port: int = 0,
        http_port: int = 0,
        *,
        host: str = "127.0.0.1",
        clock: Clock = SYSTEM_CLOCK,
        capacity: int = CAPACITY,
        refuse: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self.mailbox = Mailbox(capacity=capacity)
        self._smtp = _Server(_Receiver(self.mailbox, clock, refuse), host, smtp_port)
        self._site = Site(InboxPages(self.mailbox), host=host, port=http_port)

    @property
    def smtp_port(self) -> int:
        return int(self._smtp.port)

    @property
    def http_port(self) -> int:
        return self._site.port

    @property
    def url(self) -> str:
        return self._site.url

    @property
    def messages(self) -> tuple[ReceivedMail, ...]:
        return self.mailbox.messages

    def wait_for(self, test: Test = lambda _: True, *, count: int = 1, timeout_s: float = 10.0) -> list[ReceivedMail]:
        return self.mailbox.wait_for(test, count=count, timeout_s=timeout_s)

    def start(self) -> Inbox:
        self._smtp.start()
        self._site.start()
        return self

    def stop(self) -> None:
        self.mailbox.close()
        self._site.stop()
        self._smtp.stop()
