"""What machines that watch are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import psycopg
import pytest
from django.test import override_settings
from prometheus_client.parser import text_string_to_metric_families

from rekindle.engine.context import Context
from rekindle.engine.restore_gate import beat
from rekindle.lib.clock import MovableClock
from rekindle.lib.journal import Journal
from rekindle.store.database import Connection
from rekindle.store.partitions import ensure_partitions
from rekindle.web import health, runtime
from rekindle.web.http import Answer, Request
from tests.engine.scene import put_cart
from tests.factories import make_shop

from .sent import use


def ask(path: str, **headers: str) -> Answer:
    handlers = {"/healthz": health.alive, "/readyz": health.ready, "/metrics": health.metrics}
    return handlers[path](Request(method="GET", path=path, header=lambda name: headers.get(name, "")))


def samples(text: bytes) -> dict[tuple[str, frozenset[str]], float]:
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found[(sample.name, frozenset(sample.labels.values()))] = sample.value
    return found


class Away:
    @contextmanager
    def control(self) -> Iterator[Connection]:
        raise psycopg.OperationalError("away")
        yield


def test_a_process_that_answers_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "database", Away)
    assert (ask("/healthz").status, ask("/healthz").body) == (200, b"ok\n")


def test_it_is_ready_when_todays_events_have_their_place(
    connection: Connection, context: Context, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, connection, context)
    clock.set(clock.now() + timedelta(days=4_000))
    answer = ask("/readyz")
    assert answer.status == 503
    assert msgspec.json.decode(answer.body)["checks"] == {
        "database": True, "migrations": True, "partitions": False, "restore": True
    }  # fmt: skip
    ensure_partitions(connection, clock.now())
    assert ask("/readyz").status == 200


def test_it_is_not_ready_after_a_restore_and_says_why(
    connection: Connection, context: Context, clock: MovableClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    journal = Journal(tmp_path, context.hash_key)
    watched = replace(context, journal=journal)
    use(monkeypatch, connection, watched)
    ensure_partitions(connection, clock.now())
    beat(connection, watched)
    assert ask("/readyz").status == 200
    assert samples(ask("/metrics").body)[("rekindle_send_gate_open", frozenset())] == 1
    mark = journal.mark()
    assert mark is not None
    journal.set_mark(mark._replace(beat=99))
    answer = ask("/readyz")
    told = msgspec.json.decode(answer.body)
    assert (answer.status, told["checks"]["restore"]) == (503, False)
    assert told["why"].startswith("nothing is sent: the database is older")
    assert samples(ask("/metrics").body)[("rekindle_send_gate_open", frozenset())] == 0


def test_it_is_not_ready_without_its_migrations(
    connection: Connection, context: Context, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, connection, context)
    ensure_partitions(connection, clock.now())
    connection.execute("DELETE FROM django_migrations WHERE app = 'store' AND name LIKE '0001%'")
    assert msgspec.json.decode(ask("/readyz").body)["checks"]["migrations"] is False


def test_a_database_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "database", Away)
    answer = ask("/readyz")
    assert answer.status == 503
    assert msgspec.json.decode(answer.body)["checks"]["database"] is False
    assert samples(ask("/metrics").body)[("rekindle_database_up", frozenset())] == 0


def test_late_work_shows_its_age(
    connection: Connection, context: Context, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, connection, context)
    shop = make_shop(connection)
    put_cart(connection, context, shop, check_at=clock.now() - timedelta(seconds=90))
    put_cart(connection, context, shop, key="later", check_at=clock.now() + timedelta(seconds=90))
    found = samples(ask("/metrics").body)
    assert found[("rekindle_oldest_due_seconds", frozenset({"abandon"}))] == 90
    assert found[("rekindle_oldest_due_seconds", frozenset({"deliver"}))] == 0
    assert found[("rekindle_outbox_sends", frozenset({"uncertain"}))] == 0
    assert ("rekindle_ingest_events_total", frozenset({"accepted"})) in found


def test_metrics_may_ask_for_a_token(connection: Connection, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, connection, context)
    with override_settings(METRICS_TOKEN="secret-token"):
        assert ask("/metrics").status == 401
        assert ask("/metrics", authorization="Bearer wrong").status == 401
        assert ask("/metrics", authorization="Bearer secret-token").status == 200
