"""How does a test read one message the way the endpoints do?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from rekindle.terms.event import ShopEvent
from rekindle.terms.shop import ShopSettings
from rekindle.web.ingest.arrival import Arrival
from rekindle.web.ingest.envelope import open_event
from rekindle.web.ingest.problem import EventError, Findings
from rekindle.web.ingest.segment import read_event
from rekindle.web.ingest.usual import usual_event

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SHOP = ShopSettings(id=7, slug="fernweh", name="Fernweh", currency="EUR", country="DE", url="https://fernweh.example")


def read(
    message: dict[str, object], *, skew: timedelta = timedelta(0), implied: str = "", gpc: bool = False
) -> ShopEvent:
    """The event of a message that has nothing wrong with it."""
    event, problems = read_with_findings(message, skew=skew, implied=implied, gpc=gpc)
    assert problems == []
    return event


def read_with_findings(
    message: dict[str, object], *, skew: timedelta = timedelta(0), implied: str = "", gpc: bool = False
) -> tuple[ShopEvent, list[EventError]]:
    findings = Findings()
    arrival = Arrival(shop=SHOP, received_at=NOW, skew=skew, gpc=gpc)
    raw = msgspec.json.encode(message)
    event = read_event(raw, open_event(raw), arrival, findings, implied_type=implied)
    usual = None if implied else usual_event(raw, arrival)
    assert usual is None or (usual == event and not findings.found), "the quick reader must say the same"
    return event, findings.found


def track(name: str, properties: dict[str, object] | None = None, **fields: object) -> dict[str, object]:
    message: dict[str, object] = {"type": "track", "event": name, "anonymousId": "v1", "messageId": "m1"}
    return message | {"timestamp": "2026-03-02T08:59:30Z", "properties": properties or {}} | fields
