"""How many decisions per core-second? `may_send` with the policy pack that ships, for a mix of shoppers and channels.

    python -m bench.decisions [--sends 20000] [--rounds 5]

"may_send": the verdict alone, from facts that are ready; "with its facts": from the rows as the database gives them, as
delivery does. Pure Python, no database. Eight countries and two states, five e-mails to each text message; one shopper
in twenty has opted out, one in ten has had a message.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bench.harness import BrokenRunError, versions
from rekindle.engine.collector import spare_the_collector
from rekindle.engine.facts import Candidate, facts_of
from rekindle.policy.may_send import may_send
from rekindle.store.outbox import Claimed, SendRow
from rekindle.terms.decision import Outcome, Verdict
from rekindle.terms.reasons import Reason
from rekindle.terms.send import Channel, MessageKind
from rekindle.terms.send_facts import PriorSend, RouteFacts
from rekindle.terms.shop import ShopSettings

NOW = datetime(2026, 3, 3, 11, 0, tzinfo=UTC)  # a Tuesday noon in Europe, when texts may go out there
PLACES = [
    ("DE", "", "Europe/Berlin"),
    ("AT", "", "Europe/Vienna"),
    ("FR", "", "Europe/Paris"),
    ("GB", "", "Europe/London"),
    ("CH", "", "Europe/Zurich"),
    ("US", "CA", "America/Los_Angeles"),
    ("US", "TX", "America/Chicago"),
    ("CA", "", "America/Toronto"),
    ("AU", "", "Australia/Sydney"),
]
SHOP = ShopSettings(
    id=1,
    slug="bench",
    name="Bench",
    country="AT",
    timezone="Europe/Vienna",
    postal_address="Ring 1, 1010 Wien",
    support_email="help@shop.example",
    sender_email="shop@shop.example",
    url="https://shop.example",
)
ROUTE = RouteFacts(exists=True)


def candidates(count: int) -> list[Candidate]:
    """Claimed sends with what was read about them."""
    return [_candidate(number) for number in range(count)]


def _candidate(number: int) -> Candidate:
    country, state, zone = PLACES[number % len(PLACES)]
    is_text, abandoned = number % 6 == 5, NOW - timedelta(hours=4, seconds=number % 3_000)
    send, shopper, cart = UUID(int=number), UUID(int=1 << 64 | number), UUID(int=2 << 64 | number)
    values = dict.fromkeys(SendRow._fields)
    values |= {
        "id": send,
        "step": "reminder-1",
        "contact_point_id": UUID(int=3 << 64 | number),
        "cart_bucket": 1,
        "cart_id": cart,
        "template_version_id": 1,
        "flow_id": 1,
        "context": {},
        "planned_at": NOW - timedelta(minutes=1),
        "enrolment_state": "waiting",
        "arm": "treated",
        "abandoned_at": abandoned,
        "first_name": "Ada",
        "country": country,
        "region": state,
        "timezones": [zone],
        "order_count": 0,
        "opted_out_at": NOW - timedelta(days=1) if number % 20 == 7 else None,
        "address": f"+43664{number:07d}" if is_text else f"s{number}@example.com",
        "consent": "express",
        "consent_at": NOW - timedelta(days=30),
        "consent_wording": "Write to me about my cart.",
        "consent_confirmed": True,
        "consent_written": True,
        "consent_names_carts": True,
        "suppressed": False,
        "cart_state": "abandoned",
        "touched_at": abandoned - timedelta(minutes=30),
        "ordered": False,
        "items": [],
        "currency": "EUR",
        "total_cents": 4_900,
        "cart_stage": "cart",
        "kind": MessageKind.REMINDER.value,
    }
    row = SendRow(**values)  # type: ignore[arg-type]
    channel = Channel.SMS if is_text else Channel.EMAIL
    held = Claimed(1, send, SHOP.id, shopper, UUID(int=4 << 64 | number), channel.value, 0, NOW, b"s" * 16)
    prior = PriorSend(
        channel=Channel.EMAIL,
        cart_id=UUID(int=5 << 64 | number),
        enrolment_id=UUID(int=6 << 64 | number),
        planned_at=NOW - timedelta(days=3),
        at=NOW - timedelta(days=3),
    )
    return Candidate(held, row, row, SHOP, (prior,) if number % 10 == 3 else ())


def check(verdicts: list[Verdict]) -> Counter[str]:
    """Nobody who opted out, everybody else by e-mail, and each verdict names its pack."""
    for number, verdict in enumerate(verdicts):
        out, is_text = number % 20 == 7, number % 6 == 5
        fits = verdict.reason is Reason.OPTED_OUT if out else is_text or verdict.outcome is Outcome.ALLOW
        if not fits or not verdict.evidence.get("pack"):
            raise BrokenRunError(f"send {number}: {verdict}")
    return Counter(verdict.reason.value for verdict in verdicts)


def run(count: int, rounds: int) -> None:
    """Print what a decision costs, the least of the rounds."""
    spare_the_collector()
    asked = candidates(count)
    facts = [facts_of(one, missing=(), route=ROUTE, now=NOW) for one in asked]
    seen = check([may_send(one) for one in facts])
    alone, whole = [], []
    for _ in range(rounds):
        began = time.process_time()
        for one in facts:
            may_send(one)
        alone.append(time.process_time() - began)
        began = time.process_time()
        for candidate in asked:
            may_send(facts_of(candidate, missing=(), route=ROUTE, now=NOW))
        whole.append(time.process_time() - began)
    print(f"decisions: {versions()}; verdicts {dict(seen)}")
    for name, taken in (("may_send", alone), ("with its facts", whole)):
        least, most = min(taken) / count, max(taken) / count
        print(f"  {name:16}{1 / least:12,.0f} per core-s, {least * 1e6:.1f} us each (at most {most * 1e6:.1f})")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sends", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    words = parser.parse_args()
    run(words.sends, words.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
