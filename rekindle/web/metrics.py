"""What is counted while requests are served? Read by /metrics; labels never name a shop or a person.

With several server processes each counts for itself; PROMETHEUS_MULTIPROC_DIR (an empty folder, set by the server's
start before the first import) makes them share files, so that any process can answer for all.
"""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_REGISTRY = CollectorRegistry()

_EVENTS = Counter(
    "rekindle_ingest_events",
    "Events by what became of them: accepted, refused (invalid), failed (not stored, the sender was told so).",
    ["outcome"],
    registry=_REGISTRY,
)
ACCEPTED = _EVENTS.labels("accepted")
REFUSED = _EVENTS.labels("refused")
FAILED = _EVENTS.labels("failed")

TURNED_AWAY = Counter(
    "rekindle_ingest_turned_away",
    "Ingest requests answered before their events were read, by status.",
    ["status"],
    registry=_REGISTRY,
)
INGEST_SECONDS = Histogram(
    "rekindle_ingest_seconds",
    "Time from the whole body of an ingest request to its answer.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0),
    registry=_REGISTRY,
)
LINKS = Counter(
    "rekindle_links",
    "Requests for links of messages, by kind (recover, product, optout, restore) and outcome.",
    ["link", "outcome"],
    registry=_REGISTRY,
)
HOOKS = Counter(
    "rekindle_hooks",
    "Requests of providers that report, by provider and outcome (accepted, forged, unreadable, no_hook, away ...).",
    ["provider", "outcome"],
    registry=_REGISTRY,
)
REPORTS = Counter(
    "rekindle_reports",
    "Reports of providers, by provider and kind; `other` are those of unknown kinds.",
    ["provider", "kind"],
    registry=_REGISTRY,
)
REPORTS_UNMATCHED = Counter(
    "rekindle_reports_unmatched",
    "Reports that are about no message of ours.",
    ["provider"],
    registry=_REGISTRY,
)


def counted() -> bytes:
    """Everything counted so far, in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(_REGISTRY)
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together)
