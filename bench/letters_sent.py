"""Did exactly the right letters go out, each once and each as it should read? Raises BrokenRunError otherwise."""

from __future__ import annotations

import email
import email.policy
import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from bench import w3a_letter
from bench.due_people import kind_of
from bench.harness import BrokenRunError
from rekindle.lib.tokens import Purpose, hash_of, make_token, read_token, secret_of
from rekindle.render.money_format import money
from rekindle.store.database import Connection
from rekindle.terms.send_reference import SendReference
from tests.due_sends import Person

ByRecipient = Mapping[str, tuple[int, Person]]


def check_rows(link: Connection, people: list[Person]) -> None:
    """Every send ended once: handed over, or skipped for the right reason; every one has its decision. Those that were
    put off by a cap still wait."""
    reasons = {"opted_out": "OPTED_OUT", "suppressed": "SUPPRESSED", "held_out": "HELD_OUT"}
    expected = sorted(
        (p.send_id, "skipped" if kind_of(n) else "handed_over", reasons.get(kind_of(n)))
        for n, p in enumerate(people)
        if kind_of(n) != "capped"
    )
    rows = link.execute(
        "SELECT send_id, kind, reason FROM send_events WHERE send_id = ANY(%s)", [[p.send_id for p in people]]
    )
    if sorted(rows.fetchall()) != expected:
        raise BrokenRunError("product: the events are not those of the shoppers that were seeded")
    waiting = link.execute("SELECT send_id FROM decisions WHERE outcome = 'defer' AND reason = 'CAP_24H'").fetchall()
    left = link.execute("SELECT id FROM outbox WHERE state = 'scheduled'").fetchall()
    capped = sorted((p.send_id,) for n, p in enumerate(people) if kind_of(n) == "capped")
    if sorted(waiting) != capped or sorted(left) != capped:
        raise BrokenRunError("product: other sends wait than those that a cap puts off")
    decided = link.execute("SELECT count(DISTINCT send_id), count(*) FROM decisions").fetchone()
    if decided != (len(people), len(people)):
        raise BrokenRunError(f"product: decisions {decided} of {len(people)}")


def check_letters(
    taken: Iterable[tuple[str, str, str]],
    samples: Iterable[tuple[str, bytes]],
    by_recipient: ByRecipient,
    *,
    in_json: bool = False,
) -> None:
    """Tokens of every letter (recipient, reference of the send, unsubscribe link in <>), the content of the samples
    (recipient, message) against the reference. ``in_json``: the messages are requests to SendGrid."""
    for recipient, send_id, unsubscribe in taken:
        person = by_recipient[recipient][1]
        parts = read_token(unsubscribe.removeprefix("<https://rekindle.example/u/").removesuffix(">"))
        stored = hash_of(secret_of(person.seed, Purpose.OPTOUT))
        if parts is None or (parts.send_id, parts.secret_hash) != (person.send_id, stored):
            raise BrokenRunError("product: the token of a letter does not verify")
        if send_id != str(SendReference(person.bucket, person.send_id)):
            raise BrokenRunError("product: a letter names another send")
    compared = 0
    for recipient, raw in samples:
        _compare((_of_json if in_json else _of_mime)(raw), *by_recipient[recipient])
        compared += 1
    if compared == 0:
        raise BrokenRunError("product: no letter was compared")


class Read(NamedTuple):
    """A letter as its reader sees it."""

    subject: str
    to: str
    send: str
    html: str
    text: str


def _of_mime(raw: bytes) -> Read:
    letter = email.message_from_bytes(raw + b"\r\n", policy=email.policy.default)
    parts = {part.get_content_type(): part.get_content() for part in letter.walk() if not part.is_multipart()}
    heads = (letter["Subject"], letter["To"], letter["X-Rekindle-Send"])
    return Read(*map(str, heads), parts["text/html"], parts["text/plain"])


def _of_json(raw: bytes) -> Read:
    request = json.loads(raw)
    to = request["personalizations"][0]
    parts = {part["type"]: part["value"] for part in request["content"]}
    return Read(
        request["subject"], to["to"][0]["email"], to["custom_args"]["send_id"], parts["text/html"], parts["text/plain"]
    )


def _compare(letter: Read, number: int, person: Person) -> None:
    link = make_token(person.bucket, person.send_id, person.seed, Purpose.LINK)
    rows = [
        {
            "TITLE": str(item["title"]),
            "QUANTITY": str(item["quantity"]),
            "PRICE": money(int(str(item["unit_cents"])) * int(str(item["quantity"])), "EUR", "en"),
            "LINK": f"https://rekindle.example/c/{link}/{at}",
            "IMAGE": str(item["image_url"]),
        }
        for at, item in enumerate(person.items)
    ]
    total = sum(int(str(item["unit_cents"])) * int(str(item["quantity"])) for item in person.items)
    values = {
        "NAME": person.name.title(),
        "SHOP": "Fernweh",
        "COUNT": str(sum(int(str(item["quantity"])) for item in person.items)),
        "TOTAL": money(total, "EUR", "en"),
        "RECOVER": f"https://rekindle.example/r/{link}",
        "STOP": f"https://rekindle.example/u/{make_token(person.bucket, person.send_id, person.seed, Purpose.OPTOUT)}",
        "ADDRESS": "Fernweh, Hauptstr. 1, 10115 Berlin",
    }
    subject, html, text = w3a_letter.reference(values, rows)
    names = ("subject", "to", "send", "html", "text")
    got = (*letter[:3], letter.html.strip().splitlines(), _words(letter.text))
    send = str(SendReference(person.bucket, person.send_id))
    expected = (subject, person.to, send, html.strip().splitlines(), _words(text))
    if got != expected:
        wrong = [name for name, a, b in zip(names, got, expected, strict=True) if a != b]
        raise BrokenRunError(f"product: the letter of shopper {number} differs from the reference in {wrong}")


def _words(text: str) -> list[str]:
    """Text without its blank lines, which the renderer may close up."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]
