"""Is every change of the ledger found, also by who owns the database and can switch triggers off? (C-15)"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from rekindle.engine.audit_log import kept_heads
from rekindle.engine.consent_anchors import LAG, LEDGER, check_ledger, keep_anchor
from rekindle.engine.consents import record_consent
from rekindle.engine.context import Context
from rekindle.lib.clock import MovableClock
from rekindle.store.buckets import address_bucket
from rekindle.store.database import Connection
from rekindle.terms.consent import ConsentKind
from rekindle.terms.send import Channel
from rekindle.terms.shop import ShopSettings

from ..factories import make_shop

HOUR = timedelta(hours=1)
ROUNDS = int(os.environ.get("REKINDLE_TAMPERINGS", "70"))
KINDS = (ConsentKind.EXPRESS, ConsentKind.WITHDRAWN)


class Ledger:
    """A few addresses that changed their minds, sealed hour by hour."""

    def __init__(self, connection: Connection, context: Context, clock: MovableClock, shop: ShopSettings) -> None:
        self.connection, self.context, self.clock, self.shop = connection, context, clock, shop
        connection.execute("DELETE FROM consents")
        connection.execute("DELETE FROM consent_anchors")
        for hour in range(5):
            for number in range(6):
                self.say(f"shopper-{number}@example.com", KINDS[hour % 2], f"v{hour}")
            clock.advance(HOUR)
            keep_anchor(connection, context)

    def say(self, address: str, kind: ConsentKind, wording: str) -> None:
        digest = self.context.address_hash(self.shop.id, "email", address)
        record_consent(
            self.connection, self.context, self.shop, bucket=address_bucket(self.shop, digest), channel=Channel.EMAIL,
            address_hash=digest, kind=kind, wording=wording, source="form", evidence={"page": "/"},
            at=self.clock.now(),
        )  # fmt: skip

    def faults(self) -> tuple[str, ...]:
        return check_ledger(self.connection, self.context, kept_heads(self.context.heads_file, LEDGER)).faults

    def ids(self) -> list[UUID]:
        return [row[0] for row in self.connection.execute("SELECT id FROM consents ORDER BY id").fetchall()]


@pytest.fixture
def sealed(connection: Connection, context: Context, clock: MovableClock, spread: int, tmp_path: Path) -> Ledger:
    own = replace(context, heads_file=tmp_path / "heads.jsonl")
    return Ledger(connection, own, clock, make_shop(connection, spread=min(spread, 8)))


def edit(sealed: Ledger, draw: random.Random) -> None:
    change = draw.choice(
        [
            "wording = wording || ' '", "kind = 'soft_opt_in'", "source = 'x'", "evidence = '{}'", "seq = seq + 100",
            "at = at + interval '1 microsecond'", "recorded_at = recorded_at - interval '1 second'", "channel = 'sms'",
            "recorded_at = recorded_at + interval '90 days'", "row_hash = sha256(row_hash)",
            "previous_hash = sha256(previous_hash)", "address_hash = sha256(address_hash)", "shop_id = shop_id + 1",
        ]
    )  # fmt: skip
    sealed.connection.execute(f"UPDATE consents SET {change} WHERE id = %s", [draw.choice(sealed.ids())])  # type: ignore[arg-type]


def delete(sealed: Ledger, draw: random.Random) -> None:
    sealed.connection.execute("DELETE FROM consents WHERE id = %s", [draw.choice(sealed.ids())])


def swap(sealed: Ledger, draw: random.Random) -> None:
    one, other = draw.sample(sealed.ids(), 2)
    column = draw.choice(["evidence", "row_hash", "id"])
    if column == "evidence":  # all that a row says, beside its place
        columns = "kind, at, recorded_at, wording, source, evidence, row_hash"
        sealed.connection.execute(
            f"UPDATE consents c SET ({columns}) = (SELECT {columns} FROM consents o WHERE o.id = w.other)"
            " FROM (VALUES (%(a)s::uuid, %(b)s::uuid), (%(b)s, %(a)s)) AS w (one, other) WHERE c.id = w.one",  # type: ignore[arg-type]
            {"a": one, "b": other},
        )
    elif column == "row_hash":
        sealed.connection.execute(
            "UPDATE consents c SET row_hash = o.row_hash FROM consents o"
            " WHERE (c.id, o.id) IN ((%(a)s, %(b)s), (%(b)s, %(a)s))",
            {"a": one, "b": other},
        )
    else:
        sealed.connection.execute("UPDATE consents SET id = gen_random_uuid() WHERE id = %s", [one])


def cut_chain(sealed: Ledger, draw: random.Random) -> None:
    """The end of one address's chain, or all of it: what is left is a good chain."""
    (digest,) = sealed.connection.execute(
        "SELECT address_hash FROM consents WHERE id = %s", [draw.choice(sealed.ids())]
    ).fetchone() or (b"",)
    sealed.connection.execute(
        "DELETE FROM consents WHERE address_hash = %s AND seq > %s", [digest, draw.choice([0, 2, 4])]
    )


def cut_everything(sealed: Ledger, draw: random.Random) -> None:
    """Everything since an hour, anchors included: a state that once was true."""
    keep = draw.randint(0, 4)
    sealed.connection.execute("DELETE FROM consent_anchors WHERE seq > %s", [keep])
    sealed.connection.execute("DELETE FROM consents WHERE seq > %s", [keep])


def forge(sealed: Ledger, draw: random.Random) -> None:
    """One more row, with a hash that nobody without the key can make."""
    sealed.connection.execute(
        "INSERT INTO consents (bucket, id, shop_id, channel, address_hash, seq, kind, at, recorded_at, wording,"
        " source, evidence, previous_hash, row_hash) SELECT bucket, gen_random_uuid(), shop_id, channel, address_hash,"
        " (SELECT max(seq) + 1 FROM consents m WHERE m.address_hash = c.address_hash), 'express', at, recorded_at, 'I agree.',"
        " source, evidence, row_hash, sha256(row_hash) FROM consents c WHERE id = %s",
        [draw.choice(sealed.ids())],
    )


def change_anchor(sealed: Ledger, draw: random.Random) -> None:
    change = draw.choice(["digest = sha256(digest)", "row_count = row_count - 1", "own_hash = sha256(own_hash)"])
    sealed.connection.execute(f"UPDATE consent_anchors SET {change} WHERE seq = %s", [draw.randint(1, 5)])  # type: ignore[arg-type]


TAMPERINGS: tuple[Callable[[Ledger, random.Random], None], ...] = (
    edit, delete, swap, cut_chain, cut_everything, forge, change_anchor,
)  # fmt: skip


def test_every_tampering_is_found(sealed: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    draw, found = random.Random(15), Counter[str]()
    assert sealed.faults() == ()
    for number in range(ROUNDS):
        tamper = TAMPERINGS[number % len(TAMPERINGS)]
        with sealed.connection.transaction(force_rollback=True):
            sealed.connection.execute("SET LOCAL session_replication_role = replica")  # a superuser; no trigger runs
            tamper(sealed, draw)
            found[tamper.__name__] += bool(sealed.faults())
    with capsys.disabled():
        print(f"\nC-15: {sum(found.values())}/{ROUNDS} found ({', '.join(f'{n} {c}' for n, c in found.items())})")
    assert sum(found.values()) == ROUNDS
    assert sealed.faults() == ()


def test_without_the_head_outside_a_true_past_looks_whole(sealed: Ledger) -> None:
    """Why the file has to lie where the database's owner cannot write."""
    with sealed.connection.transaction(force_rollback=True):
        cut_everything(sealed, random.Random(1))
        assert check_ledger(sealed.connection, sealed.context, {}).faults == ()
        assert "whose hash was kept elsewhere" in " ".join(sealed.faults())


def test_anchors_seal_what_is_old_enough_and_go_on(sealed: Ledger) -> None:
    heads = kept_heads(sealed.context.heads_file, LEDGER)
    assert sorted(heads) == [1, 2, 3, 4, 5]
    assert check_ledger(sealed.connection, sealed.context, heads)[:3] == (30, 6, 5)
    assert keep_anchor(sealed.connection, sealed.context) == 5, "nothing was written down since"
    sealed.say("late@example.com", ConsentKind.EXPRESS, "v")
    assert keep_anchor(sealed.connection, sealed.context) == 5, "it may not be committed yet"
    sealed.clock.advance(LAG)
    assert keep_anchor(sealed.connection, sealed.context) == 6
    assert sealed.faults() == ()
    assert len(Path(str(sealed.context.heads_file)).read_text().splitlines()) == 6
