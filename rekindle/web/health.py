"""Is this process well, can it work, and how late is the work? For machines that watch; never for shoppers."""

from __future__ import annotations

import hmac
import logging
from datetime import datetime
from functools import cache
from pathlib import Path

import psycopg
from django.conf import settings

from rekindle.engine.restore_gate import gate
from rekindle.store import privacy_requests, readiness
from rekindle.store.alerts import AlertKind, count_open_alerts
from rekindle.store.database import Connection
from rekindle.web import metrics as counters
from rekindle.web import runtime
from rekindle.web.http import NO_STORE, Answer, Request, json_answer

log = logging.getLogger(__name__)


def alive(_request: Request) -> Answer:
    """`/healthz`: the process answers; nothing else is asked."""
    return Answer(200, b"ok\n", headers=NO_STORE)


def ready(_request: Request) -> Answer:
    """`/readyz`: 200 when events can be stored now, else 503 and what is missing."""
    checks = {"database": False, "migrations": False, "partitions": False, "restore": False}
    why = ""
    try:
        with runtime.database().control() as connection:
            checks["database"] = True
            checks["migrations"] = readiness.missing_migrations(connection, _own_migrations()) == []
            checks["partitions"] = readiness.has_partitions(connection, runtime.context().clock.now())
            if checks["migrations"]:
                checks["restore"], why = gate(connection, runtime.context())
    except psycopg.Error as error:
        log.warning("not_ready", extra={"facts": {"error": type(error).__name__}})
    well = all(checks.values())
    told = {"ready": well, "checks": checks} | ({"why": f"nothing is sent: {why}"} if why else {})
    return json_answer(200 if well else 503, told, **{"Cache-Control": "no-store"})


def metrics(request: Request) -> Answer:
    """`/metrics`: what this process counted, and what the database says about work that waits."""
    if not _may_read(request):
        return Answer(401, b"A bearer token is needed.\n", headers={**NO_STORE, "WWW-Authenticate": "Bearer"})
    text = counters.counted()
    try:
        with runtime.database().control() as connection:
            text += _gauges(connection, runtime.context().clock.now()).encode()
        text += b"rekindle_database_up 1\n"
    except psycopg.Error:
        text += b"rekindle_database_up 0\n"
    return Answer(200, text, "text/plain; version=0.0.4; charset=utf-8", NO_STORE)


def _may_read(request: Request) -> bool:
    wanted = settings.METRICS_TOKEN
    if not wanted:
        return True
    told = request.header("authorization").removeprefix("Bearer ").strip()
    return hmac.compare_digest(told.encode(), wanted.encode())


def _gauges(connection: Connection, now: datetime) -> str:
    work, alerts = readiness.load_waiting(connection, now), count_open_alerts(connection)
    requests = privacy_requests.waiting_of_all(connection, now)
    lines = [
        "# HELP rekindle_oldest_due_seconds Age of the oldest work that is due, by stage; 0 when nothing is late.",
        "# TYPE rekindle_oldest_due_seconds gauge",
        *(f'rekindle_oldest_due_seconds{{stage="{stage}"}} {age:.3f}' for stage, age in work.oldest_due_s.items()),
        "# HELP rekindle_outbox_sends Sends in the outbox by state.",
        "# TYPE rekindle_outbox_sends gauge",
        *(f'rekindle_outbox_sends{{state="{state}"}} {count}' for state, count in work.outbox.items()),
        "# HELP rekindle_open_alerts Alerts that wait for a person, by kind.",
        "# TYPE rekindle_open_alerts gauge",
        *(f'rekindle_open_alerts{{kind="{kind.value}"}} {alerts.get(kind.value, 0)}' for kind in AlertKind),
        "# HELP rekindle_privacy_requests Open requests about personal data: all, too old, past a legal date.",
        "# TYPE rekindle_privacy_requests gauge",
        f'rekindle_privacy_requests{{state="open"}} {requests.open_count}',
        f'rekindle_privacy_requests{{state="escalated"}} {requests.escalated_count}',
        f'rekindle_privacy_requests{{state="overdue"}} {requests.overdue_count}',
        "# HELP rekindle_send_gate_open 0 after a restore, until opt-outs and erasures were replayed: nothing is sent.",
        "# TYPE rekindle_send_gate_open gauge",
        f"rekindle_send_gate_open {int(gate(connection, runtime.context()).is_open)}",
    ]
    return "\n".join(lines) + "\n"


@cache
def _own_migrations() -> tuple[str, ...]:
    """Names of the migrations that this code came with."""
    folder = Path(settings.BASE_DIR) / "store" / "migrations"
    return tuple(sorted(path.stem for path in folder.glob("[0-9]*.py")))
