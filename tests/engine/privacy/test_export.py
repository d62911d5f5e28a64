"""Is everything that is kept about a person in the file (C-11), and can it be taken once, by nobody else, not for long?"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path

import django
import pytest
from django.apps import apps

from rekindle.engine.context import Context
from rekindle.engine.privacy.export import LIFE, make_files, take_file
from rekindle.engine.privacy.record import Asked, RequestError, record_request
from rekindle.engine.privacy.steps import Taken, take_step
from rekindle.lib.clock import MovableClock
from rekindle.store.buckets import base_bucket
from rekindle.store.database import Connection
from rekindle.store.privacy_requests import history
from rekindle.store.subject_exports import ExportLine, exports_of_request
from rekindle.store.subject_rows import LEFT_OUT, PARTS
from rekindle.terms.privacy_request import PrivacyRequest, RequestKind, Step
from tests.json_schema import faults

from ...factories import make_shop
from ..journey import Journey
from .story import CANARIES, EMAIL, live_through
from .test_canaries import NEVER_STORED

ROOT = Path(__file__).resolve().parents[3]
#: Columns by which a table's row belongs to a person.
POINTS = {"shopper_id", "address_hash", "visitor_key", "cart_id", "customer_key", "send_id", "enrolment_id", "order_id",
          "contact_point_id", "request_id"}  # fmt: skip


@pytest.fixture
def journey(connection: Connection, context: Context, clock: MovableClock, spread: int) -> Journey:
    return Journey(connection, context, clock, make_shop(connection, spread=spread, holdout_rate=0))


def asked(journey: Journey, email: str = EMAIL) -> PrivacyRequest:
    asks = Asked(kind=RequestKind.ACCESS, source="dashboard", email=email, is_verified=True)
    return record_request(journey.connection, journey.context, journey.shop, asks)


def order(journey: Journey, request: PrivacyRequest) -> ExportLine:
    take_step(journey.connection, journey.context, journey.shop, request.id, Taken(step=Step.EXPORT, by="owner"))
    return exports_of_request(journey.connection, request.bucket, request.id)[0]


def take(journey: Journey, line: ExportLine) -> zipfile.ZipFile:
    taken = take_file(journey.connection, journey.context, journey.shop, line.id, by="owner")
    return zipfile.ZipFile(io.BytesIO(taken.content))


def test_every_table_that_points_to_a_person_is_in_the_export_or_says_why_not() -> None:
    """A new table with such a column fails here until somebody has decided."""
    django.setup()
    tables = {
        model._meta.db_table
        for model in apps.get_app_config("store").get_models()
        if POINTS & {field.column for field in model._meta.concrete_fields}
    }
    assert len(tables) > 15
    assert tables - set(PARTS) - set(LEFT_OUT) == set()
    assert set(LEFT_OUT) <= tables
    assert all(LEFT_OUT.values())


def test_the_file_holds_every_row_and_its_manifest_is_right(journey: Journey) -> None:
    live_through(journey)
    request = asked(journey)
    line = order(journey, request)
    assert line.state == "ordered"
    assert make_files(journey.connection, journey.context) == 1
    (stored,) = journey.read("subject_exports", "content")
    archive = take(journey, line)
    assert sorted(archive.namelist()) == ["data.json", "manifest.json"]
    raw, manifest = archive.read("data.json"), json.loads(archive.read("manifest.json"))
    assert manifest["files"] == [{"name": "data.json", "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}]
    data = json.loads(raw)
    assert {table: len(rows) for table, rows in data["tables"].items()} == manifest["rows"]
    assert [table for table, count in manifest["rows"].items() if not count] == []
    for table in ("events", "carts", "sends", "send_events", "orders", "consents", "replies"):
        (stored_count,) = journey.read(table, "count(*)")[0]
        assert manifest["rows"][table] == stored_count, table
    schema = json.loads((ROOT / "docs" / "reference" / "subject-export.schema.json").read_text())
    assert list(faults(data, schema)) == []
    told = raw.decode()
    assert {canary for canary in CANARIES if canary not in told} == NEVER_STORED
    assert EMAIL.encode() not in bytes(stored[0])  # encrypted while it lies there


def test_a_file_is_taken_once_and_not_for_long(journey: Journey) -> None:
    request = asked(journey, "nobody@example.com")  # of whom nothing is known: that, too, is an answer
    first = order(journey, request)
    assert order(journey, request).id == first.id  # one that is on its way is enough
    with pytest.raises(RequestError, match="taken already, or is too old"):
        take(journey, first)
    make_files(journey.connection, journey.context)
    assert json.loads(take(journey, first).read("manifest.json"))["rows"]["privacy_requests"] == 1
    with pytest.raises(RequestError):
        take(journey, first)
    journey.clock.advance(timedelta(minutes=1))
    second = order(journey, request)
    make_files(journey.connection, journey.context)
    journey.clock.advance(LIFE)
    with pytest.raises(RequestError):
        take(journey, second)
    make_files(journey.connection, journey.context)
    assert journey.read("subject_exports", "state, content") == [("expired", None), ("taken", None)]
    said = [line.what for line in history(journey.connection, request)]
    assert sorted(said) == sorted(["received", "export", "export", "exported", "downloaded", "exported", "expired"])


def test_another_shop_cannot_take_it_and_an_erasure_takes_it_away(journey: Journey) -> None:
    request = asked(journey)
    line = order(journey, request)
    make_files(journey.connection, journey.context)
    other = make_shop(journey.connection)
    with pytest.raises(RequestError):
        take_file(journey.connection, journey.context, other, line.id, by="owner")
    wish = Asked(kind=RequestKind.ERASURE, source="dashboard", email=EMAIL, is_verified=True)
    erasure = record_request(journey.connection, journey.context, journey.shop, wish)
    take_step(journey.connection, journey.context, journey.shop, erasure.id, Taken(step=Step.ERASE, by="owner"))
    assert journey.read("subject_exports", "state, content") == [("expired", None)]
    assert base_bucket(journey.shop) == request.bucket
