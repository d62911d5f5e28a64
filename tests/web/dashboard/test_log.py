"""Does the log hold what people did and who looked at an address, and do only owners read it?"""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from rekindle.engine.audit_log import fault_of_log, note
from rekindle.terms.log_entry import Deed
from tests.web.seed import Seeded
from tests.web.world import World

OWNER, MARKETER, VIEWER = "owner@fernweh.example", "marketer@fernweh.example", "viewer@fernweh.example"


def entries(world: World) -> list[tuple[Any, ...]]:
    return world.connection.execute(
        "SELECT actor, action, outcome, subject, facts, shop_id FROM audit_log ORDER BY seq"
    ).fetchall()


def test_sign_ins_good_and_bad_are_written_down_without_what_was_typed(world: World) -> None:
    client = Client(HTTP_HOST="127.0.0.1")
    client.post("/login", {"account": OWNER, "password": "wrong"})
    client.post("/login", {"account": "my-secret-typed-into-the-wrong-field", "password": "x"})
    client.post("/login", {"account": OWNER, "password": "correct horse battery staple"})
    kinds = [(row[0], row[1], row[2]) for row in entries(world)]
    assert kinds[:2] == [(OWNER, "sign_in", "refused"), ("unknown account", "sign_in", "refused")]
    assert "my-secret" not in repr(entries(world))
    signed_in = world.as_(OWNER)
    signed_in.post("/logout")
    assert [(row[0], row[1], row[2]) for row in entries(world)][-1] == (OWNER, "sign_out", "done")


def test_deeds_looks_and_refusals_are_written_down_without_addresses(world: World, seeded: Seeded) -> None:
    cart = world.connection.execute(
        "SELECT c.bucket, c.id, p.address FROM carts c JOIN contact_points p ON p.shopper_id = c.shopper_id"
        " WHERE c.shop_id = %s AND p.address <> '' LIMIT 1",
        [world.shop.id],
    ).fetchone()
    assert cart is not None
    reveal = world.path(f"carts/{cart[0]}/{cart[1]}/addresses")
    assert cart[2] in world.as_(MARKETER).post(reveal).text
    assert world.as_(VIEWER).post(reveal).status_code == 403
    world.as_(OWNER).post(world.path("sends/pause"))
    world.as_(OWNER).post(world.path("settings/people"), {"account": "new@fernweh.example", "role": "viewer"})
    rows = entries(world)
    assert [(row[0], row[1], row[2]) for row in rows] == [
        (MARKETER, "reveal_address", "done"),
        (VIEWER, "reveal_address", "refused"),
        (OWNER, "pause_sending", "done"),
        (OWNER, "change_people", "done"),
    ]
    assert str(cart[1]) in rows[0][3]
    assert rows[3][4] == {"route": "add_person", "account": "new@fernweh.example", "role": "viewer"}
    assert {row[5] for row in rows} == {world.shop.id}
    assert cart[2] not in repr(rows)
    assert fault_of_log(world.connection, world.context) == (4, None)


def test_secrets_are_named_and_never_written(world: World) -> None:
    typed = {"name": "Mail", "host": "mail.example.com", "port": "587", "tls": "starttls", "username": "u"}
    typed |= {"password": "canary-71", "connections": "2"}
    typed = {f"account-{name}": value for name, value in typed.items()}
    world.as_(OWNER).post(world.path("accounts/new/smtp"), typed)
    ((_, action, outcome, _, facts, _),) = entries(world)
    assert (action, outcome) == ("change_shop", "done")
    assert "password" in facts["typed"]
    assert "canary-71" not in repr(facts)


def test_owners_read_filter_and_export_and_nobody_else(world: World) -> None:
    for number in range(60):
        world.clock.advance(timedelta(minutes=1))
        actor = MARKETER if number % 2 else "=cmd|evil"
        note(world.connection, world.context, Deed(actor=actor, action="settle_send", shop_id=world.shop.id, facts={"choice": f"n{number}"}))  # fmt: skip
    note(world.connection, world.context, Deed(actor="stranger", action="change_shop", shop_id=world.other.id))
    for account in (MARKETER, VIEWER):
        assert world.as_(account).get(world.path("log/")).status_code == 403
        assert world.as_(account).post(world.path("log/export")).status_code == 403
    owner = world.as_(OWNER)
    page = owner.get(world.path("log/")).text
    assert "choice: n59" in page
    assert "choice: n0<" not in page
    assert "stranger" not in page
    assert "decided about a message" in page
    older = owner.get(world.path("log/?before=15")).text
    assert "choice: n13" in older
    assert "choice: n14" not in older
    only = owner.get(world.path(f"log/?actor={MARKETER}&action=settle_send&since=2026-03-01")).text
    assert "choice: n58" not in only
    assert "choice: n59" in only
    assert "No entry fits" in owner.get(world.path("log/?until=2020-01-01")).text
    answer = owner.post(world.path(f"log/export?actor={MARKETER}"))
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) >= 30
    assert {row["actor"] for row in rows} == {MARKETER}
    whole = list(csv.DictReader(io.StringIO(owner.post(world.path("log/export")).text)))
    assert "'=cmd|evil" in {row["actor"] for row in whole}
    assert whole[0]["action"] == "read_log", "the export before is in the next one"


@pytest.mark.parametrize("wrong", ["?before=x", "?since=2026-99-99", "?actor=%00", "?before=99999999999999999999"])
def test_odd_filters_show_the_log(world: World, wrong: str) -> None:
    assert world.as_(OWNER).get(world.path(f"log/{wrong}")).status_code == 200
