"""Do secrets stay where they are, whatever a provider says about them (check S-18)?

Each API's account has canaries for secrets, and each API answers with an error that quotes all it was sent. Afterwards
neither the database, read in clear, nor any line of log holds one of them.
"""

from __future__ import annotations

import logging
from base64 import b64encode

import pytest

from rekindle.engine.context import Context
from rekindle.engine.templates import TemplateRefusedError, save_email_template
from rekindle.lib.clock import MovableClock
from rekindle.lib.logs import JsonLines
from rekindle.store.database import Connection
from tests.providers.http_server import Got, Reply

from . import api_delivery
from .api_delivery import over
from .delivery import World, make_world

CANARY = "canary-5d1e77b0c2"


@pytest.fixture
def world(link: Connection, shared_dsn: str, context: Context, clock: MovableClock) -> World:
    made = make_world(link, shared_dsn, context, clock, 1)
    link.execute("DELETE FROM provider_accounts")
    return made


def quoting(status: int) -> object:
    """An API that answers with everything it was told."""

    def answer(got: Got) -> Reply:
        told = {"message": f"bad request: {dict(got.headers)}", "errors": [{"message": str(dict(got.headers))}]}
        return Reply.of(status, {**told, "Message": told["message"], "ErrorCode": 10, "name": "x", "status": "error"})

    return answer


def forms_of(secret: str) -> list[str]:
    """A secret as it may travel: plain, or in the Basic scheme with the usual names."""
    return [secret, *(b64encode(f"{name}:{secret}".encode()).decode().rstrip("=")[6:] for name in ("api", "user", ""))]


def everything_stored(connection: Connection) -> str:
    tables = connection.execute(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    rows: list[str] = []
    for (table,) in tables:
        rows += [row[0] for row in connection.execute(f"SELECT t::text FROM {table} t").fetchall()]  # type: ignore[arg-type]
    return "\n".join(rows)


@pytest.mark.parametrize("status", [400, 401, 500])
def test_no_answer_of_an_api_puts_a_secret_into_database_or_logs(
    world: World, status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    quoted = 0
    for kind, values in api_delivery.VALUES.items():
        secret = {name: f"{CANARY}-{kind}-{name}" if name not in ("region", "domain") else value for name, value in values.items()}  # fmt: skip
        monkeypatch.setitem(api_delivery.VALUES, kind, secret)
        world.connection.execute("DELETE FROM provider_accounts")
        deliver = over(world, kind, otherwise=quoting(status))  # type: ignore[arg-type]
        deliver(world.person(f"{kind}-{status}"))
        quoted += sum(CANARY in str(dict(got.headers)) for got in deliver.got)  # type: ignore[attr-defined]
    assert quoted >= 3, "the APIs did quote secrets"
    stored = everything_stored(world.connection)
    logged = "\n".join(JsonLines().format(record) for record in caplog.records)
    for kind, secret in api_delivery.VALUES.items():
        for name, value in secret.items():
            if name in ("region", "domain", "access_key"):
                continue  # no secrets
            for form in forms_of(value):
                assert form not in stored, f"{kind} {name} is in the database"
                assert form not in logged, f"{kind} {name} is in the logs"


@pytest.mark.parametrize(
    "attempt",
    ["{{ settings.SECRET_KEY }}", "{{ context.vault_key }}", "{{ account.secret }}", "{{ shop.write_key }}",
     "{{ shop.__class__.__init__.__globals__ }}"],
)  # fmt: skip
def test_no_template_reaches_a_secret(world: World, attempt: str) -> None:
    source = f"<mjml><mj-body><mj-section><mj-column><mj-text>{attempt} {{{{ unsubscribe_url }}}}</mj-text></mj-column></mj-section></mj-body></mjml>"  # fmt: skip
    with pytest.raises(TemplateRefusedError) as refused:
        save_email_template(
            world.connection, world.context, world.shop,
            key="spy", name="Spy", subject="Hello", preheader="", source=source, text=attempt, by="ada",
        )  # fmt: skip
    for secret in (world.context.hash_key, world.context.vault_key):
        assert str(secret) not in str(refused.value)
