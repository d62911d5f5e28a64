"""What did people do in this shop? The log, newest first, with filters and an export; for owners."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.http import HttpResponse

from rekindle.store.audit_log import LogQuery, log_of_shop, who_and_what
from rekindle.terms.log_entry import LogEntry
from rekindle.terms.role import Action
from rekindle.web.dashboard.access import Visit, shop_view
from rekindle.web.dashboard.page import Section, show_page

ON_A_PAGE: Final = 50
MOST_EXPORTED: Final = 100_000
_WORDS: Final = {
    "sign_in": "signed in",
    "sign_out": "signed out",
    Action.REVEAL_ADDRESS.value: "looked at an address",
    Action.PAUSE_SENDING.value: "paused or resumed sending",
    Action.SWITCH_FLOW.value: "switched a flow",
    Action.SETTLE_SEND.value: "decided about a message",
    Action.CHANGE_SHOP.value: "changed the shop",
    Action.CHANGE_PEOPLE.value: "changed who may enter",
    Action.HANDLE_REQUESTS.value: "handled a request about personal data",
    Action.READ_LOG.value: "exported this log",
}
_COLUMNS: Final = ("seq", "at", "actor", "action", "outcome", "subject", "facts", "network", "row_hash")


@shop_view(get=Action.READ_LOG)
def log(visit: Visit) -> HttpResponse:
    query = _query(visit)
    entries = log_of_shop(visit.connection, replace(query, limit=ON_A_PAGE + 1))
    shown = entries[:ON_A_PAGE]
    actors, actions = who_and_what(visit.connection, visit.shop.id)
    content = {
        "rows": [(entry, _WORDS.get(entry.action, entry.action), _told(entry)) for entry in shown],
        "actors": sorted({*actors, *([query.actor] if query.actor else [])}),
        "actions": [(one, _WORDS.get(one, one)) for one in sorted({*actions, "sign_in", "sign_out"})],
        "query": query,
        "since": visit.request.GET.get("since", "")[:10],
        "until": visit.request.GET.get("until", "")[:10],
        "next_before": shown[-1].seq if len(entries) > ON_A_PAGE else "",
    }
    return show_page(visit, "dashboard/log.html", content, section=Section.SETTINGS)


@shop_view(post=Action.READ_LOG)
def export(visit: Visit) -> HttpResponse:
    """The entries that the filters leave, newest first, as CSV; that it was exported is written down too."""
    entries = log_of_shop(visit.connection, replace(_query(visit), before=2**62, limit=MOST_EXPORTED))
    visit.noted["entries"] = len(entries)
    response = HttpResponse(_csv(entries), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="log-{visit.shop.slug}-{visit.now:%Y%m%d}.csv"'
    return response


def _query(visit: Visit) -> LogQuery:
    params = visit.request.GET

    def text(name: str) -> str:
        return params.get(name, "").replace("\x00", "")[:200]

    before = text("before")
    return LogQuery(
        shop_id=visit.shop.id,
        since=_day(text("since")) or datetime(2000, 1, 1, tzinfo=UTC),
        until=(_day(text("until")) or visit.now) + timedelta(days=1),
        actor=text("actor"),
        action=text("action"),
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 19 else 2**62,
    )


def _day(text: str) -> datetime | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime(found.year, found.month, found.day, tzinfo=UTC) if found.year < 9999 else None


def _told(entry: LogEntry) -> str:
    facts = {name: value for name, value in entry.facts.items() if name != "route"}
    words = [f"{name.replace('_', ' ')}: {_short(value)}" for name, value in facts.items() if value not in ("", None)]
    return ", ".join(words)


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name} {_short(one)}" for name, one in value.items()) or "nothing"
    if isinstance(value, list) and len(value) == 2:
        return f"{value[0]} → {value[1]}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _csv(entries: Sequence[LogEntry]) -> str:
    """Cells that a spreadsheet would take for a formula begin with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for entry in entries:
        cells = (
            entry.seq,
            entry.at.isoformat(),
            entry.actor,
            entry.action,
            entry.outcome,
            entry.subject,
            json.dumps(dict(entry.facts), ensure_ascii=False),
            entry.network,
            entry.row_hash.hex(),
        )
        writer.writerow([f"'{cell}" if str(cell)[:1] in ("=", "+", "-", "@", "\t") else cell for cell in cells])
    return out.getvalue()
