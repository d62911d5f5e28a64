"""How does a person get everything that is kept about them? As one file, made by a worker and taken once.

A zip with ``data.json`` (every row, table by table) and ``manifest.json`` (what is in it, with its SHA-256); the schema
of both is docs/reference/subject-export.schema.json. It lies encrypted in the database until somebody who may takes it,
or for a day.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg

from rekindle.engine.context import Context
from rekindle.engine.privacy.record import RequestError, add_line
from rekindle.engine.privacy.whom import owners
from rekindle.lib.ids import timed_id
from rekindle.lib.vault import open_sealed, seal
from rekindle.store import subject_exports as store
from rekindle.store.buckets import base_bucket
from rekindle.store.database import Connection
from rekindle.store.prepared import transaction
from rekindle.store.privacy_requests import load_request
from rekindle.store.shops import load_shop
from rekindle.store.subject_exports import ExportPlace
from rekindle.store.subject_rows import PARTS, rows_of_subject
from rekindle.terms.privacy_request import Happened, PrivacyRequest, RequestLine
from rekindle.terms.shop import ShopSettings

log = logging.getLogger(__name__)

SCHEMA: Final = "rekindle/subject-export/1"
LIFE: Final = timedelta(hours=24)
_LEASE: Final = timedelta(minutes=15)
_AT_ONCE: Final = 20


class Export(NamedTuple):
    """A file that was taken: a name that says nothing about the person, and its bytes."""

    name: str
    content: bytes


def order_file(
    connection: Connection, context: Context, shop: ShopSettings, request: PrivacyRequest, *, by: str
) -> ExportPlace:
    """Ask a worker for the file of a request. One that is on its way or lies there is enough."""
    now = context.clock.now()
    for line in store.exports_of_request(connection, request.bucket, request.id):
        if line.state == "ordered" or (line.state == "ready" and line.expires_at is not None and line.expires_at > now):
            return ExportPlace(request.bucket, line.id, shop.id, request.id)
    place = ExportPlace(request.bucket, timed_id(now, f"{request.id}:export".encode()), shop.id, request.id)
    store.order_export(connection, place, at=now, by=by)
    return place


def make_files(connection: Connection, context: Context) -> int:
    """Make the files that were ordered, and throw old ones away; returns how many were made."""
    now = context.clock.now()
    for place in store.expire_exports(connection, now):
        _note(connection, context, place, Happened.EXPIRED)
    waiting = store.ordered_exports(connection, now, _AT_ONCE)
    return sum(make_file(connection, context, place) for place in waiting)


def make_file(connection: Connection, context: Context, place: ExportPlace) -> bool:
    """Make one file; False when somebody else does, or when it cannot be made, which is noted."""
    now = context.clock.now()
    if not store.claim_export(connection, place, now=now, lease_until=now + _LEASE):
        return False
    shop = load_shop(connection, place.shop_id)
    request = load_request(connection, place.bucket, place.shop_id, place.request_id)
    content: bytes | None = None
    manifest: Mapping[str, object] = {}
    try:
        if shop is not None and request is not None:
            content, manifest = pack(shop, request, _gather(connection, shop, request), now)
    except psycopg.OperationalError:
        raise  # the lease ends by itself, and another worker makes it
    except Exception as mistake:
        log.exception("subject_export_failed", extra={"facts": {"error": type(mistake).__name__}})
    sealed = None if content is None else seal(context.vault_key, content, _owner(place))
    with transaction(connection):
        is_kept = store.finish_export(
            connection, place, at=now, expires_at=now + LIFE, manifest=manifest, content=sealed
        )
        if is_kept:
            _note(connection, context, place, Happened.EXPORT_FAILED if sealed is None else Happened.EXPORTED)
    return sealed is not None


def take_file(connection: Connection, context: Context, shop: ShopSettings, export_id: UUID, *, by: str) -> Export:
    """Hand a file out, once: it is gone afterwards. Raises RequestError when it is not there, or not any more."""
    now, bucket = context.clock.now(), base_bucket(shop)
    with transaction(connection):
        found = store.hold_export(connection, bucket, export_id, shop.id, now)
        if found is None:
            raise RequestError("This file was taken already, or is too old. Make another one.")
        request_id, sealed = found
        place = ExportPlace(bucket, export_id, shop.id, request_id)
        content = open_sealed(context.vault_key, sealed, _owner(place))
        store.note_export_taken(connection, bucket, export_id, at=now, by=by)
        _note(connection, context, place, Happened.DOWNLOADED, by=by)
    return Export(f"personal-data-{request_id}.zip", content)


def pack(
    shop: ShopSettings, request: PrivacyRequest, rows: Mapping[str, Sequence[Mapping[str, Any]]], at: datetime
) -> tuple[bytes, dict[str, object]]:
    """The zip and its manifest, of which the database keeps a copy: it names nobody."""
    made_at = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    data = {
        "schema": SCHEMA,
        "made_at": made_at,
        "shop": {"slug": shop.slug, "name": shop.name, "postal_address": shop.postal_address},
        "request": str(request.id),
        "about": [{"channel": one.channel.value, "address": one.address} for one in request.subjects],
        "meanings": {table: part.meaning for table, part in PARTS.items()},
        "tables": rows,
    }
    text = json.dumps(data, ensure_ascii=False, indent=1).encode()
    manifest: dict[str, object] = {
        "schema": SCHEMA,
        "made_at": made_at,
        "request": str(request.id),
        "rows": {table: len(found) for table, found in rows.items()},
        "files": [{"name": "data.json", "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}],
    }
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", text)
        archive.writestr("manifest.json", json.dumps(manifest, indent=1))
    return box.getvalue(), manifest


def _gather(connection: Connection, shop: ShopSettings, request: PrivacyRequest) -> dict[str, list[dict[str, Any]]]:
    return rows_of_subject(
        connection,
        shop,
        shopper_ids=[shopper_id for _, shopper_id in owners(connection, shop, request)],
        hashes=[one.hash for one in request.subjects],
        request_ids=[request.id],
    )


def _owner(place: ExportPlace) -> str:
    return f"export:{place.shop_id}:{place.id}"


def _note(connection: Connection, context: Context, place: ExportPlace, what: Happened, *, by: str = "") -> None:
    request = load_request(connection, place.bucket, place.shop_id, place.request_id)
    if request is not None:
        detail = {"export": str(place.id)}
        add_line(connection, request, RequestLine(at=context.clock.now(), what=what, by=by, detail=detail))
