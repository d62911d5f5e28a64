"""Does the page ask DNS, bounded, and say what must be mended? A resolver of our own answers on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from django.test import override_settings

from tests.web.world import World

OWNER, VIEWER = "owner@fernweh.example", "viewer@fernweh.example"
HEADERS = "DKIM-Signature: v=1; d=fernweh.example; h=from:list-unsubscribe:list-unsubscribe-post; b=x\n"


class Resolver:
    """Answers what it knows, NXDOMAIN otherwise."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                data, sender = self._socket.recvfrom(4_096)
            except OSError:
                return
            if data == b"stop":
                return
            query = dns.message.from_wire(data)
            (question,) = query.question
            name, kind = question.name.to_text(omit_final_dot=True), question.rdtype.name
            self.asked.append(f"{name} {kind}")
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.RA
            found = self.records.get((name, kind))
            if found is None and not any(known == name for known, _ in self.records):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif found:
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *found))
            self._socket.sendto(answer.to_wire(), sender)

    def stop(self) -> None:
        host, port = self._socket.getsockname()
        self._socket.sendto(b"stop", (host, port))
        self._thread.join(30)
        self._socket.close()


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    running = Resolver()
    with override_settings(DNS_SERVER=running.address):
        yield running
    running.stop()


def test_nothing_is_asked_before_somebody_presses_the_button(world: World, resolver: Resolver) -> None:
    world.connection.execute("UPDATE shops SET sender_email = 'hello@fernweh.example'")
    page = world.as_(VIEWER).get(world.path("settings/domain"))
    assert page.status_code == 200
    assert "fernweh.example" in page.text
    assert world.as_(VIEWER).post(world.path("settings/domain")).status_code == 403
    assert resolver.asked == []


def test_what_is_missing_is_said_and_what_is_there_is_shown(world: World, resolver: Resolver) -> None:
    world.connection.execute("UPDATE shops SET sender_email = 'hello@mail.fernweh.example'")
    resolver.records = {
        ("mail.fernweh.example", "TXT"): ['"v=spf1 include:x.example " "~all"'],
        ("mail.fernweh.example", "MX"): ["0 ."],
        ("_dmarc.fernweh.example", "TXT"): ['"v=DMARC1; p=quarantine"'],
        ("s9._domainkey.mail.fernweh.example", "TXT"): ['"v=DKIM1; p=QUJD"'],
    }
    owner = world.as_(OWNER)
    page = owner.post(world.path("settings/domain"), {"domain-selector": "s9", "domain-headers": HEADERS}).text
    assert "v=spf1 include:x.example ~all" in page
    assert "The policy is quarantine. It stands at fernweh.example." in page
    assert "There is a key under s9." in page
    assert "mail.fernweh.example takes no mail" in page
    assert "covers both unsubscribe headers" in page
    assert len(resolver.asked) < 20
    resolver.records = {}
    page = owner.post(world.path("settings/domain"), {"domain-headers": "<script>alert(1)</script>"}).text
    assert "There is no SPF record" in page
    assert "There is no DMARC record" in page
    assert "Nothing in the pasted text tells" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize("selector", ["a b", "../x", "x" * 80, "s1._domainkey.evil.example/", "ü"])
def test_a_selector_that_is_none(world: World, resolver: Resolver, selector: str) -> None:
    world.connection.execute("UPDATE shops SET sender_email = 'hello@fernweh.example'")
    page = world.as_(OWNER).post(world.path("settings/domain"), {"domain-selector": selector})
    assert page.status_code == 422
    assert resolver.asked == []
