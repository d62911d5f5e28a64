"""What have people configured? Flows, templates and provider accounts: small plain tables, read whole or by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from rekindle.store.copying import array_literal
from rekindle.store.database import Connection
from rekindle.store.statements import sql


class ActiveFlowRow(NamedTuple):
    """A flow that is switched on. ``definition`` is JSON text."""

    shop_id: int
    flow_id: int
    key: str
    priority: int
    activated_at: datetime
    version_id: int
    definition: str


class FlowVersionRow(NamedTuple):
    """One definition; ``key`` is its flow's."""

    version_id: int
    flow_id: int
    key: str
    definition: str


class PublishedTemplate(NamedTuple):
    """What a template key leads to now."""

    shop_id: int
    key: str
    channel: str
    version_id: int


class TemplateContent(NamedTuple):
    """One immutable template version: sources in the merge language, ``html`` compiled when it was saved."""

    version_id: int
    shop_id: int
    key: str
    channel: str
    subject: str
    preheader: str
    html: str
    text: str
    source: str  #: of a push template; empty for letters, whose source nobody sends


class ProviderAccountRow(NamedTuple):
    """A provider account that is switched on; ``secret`` is still sealed."""

    id: int
    shop_id: int
    channel: str
    kind: str
    name: str
    options: dict[str, Any]
    secret: bytes
    position: int
    paused_until: datetime | None
    paused_reason: str
    weight: int = 100
    limits: dict[str, Any] | None = None
    pause_kind: str = ""
    trip_count: int = 0
    probe_until: datetime | None = None
    hook_serial: int = 1


class FlowRecord(NamedTuple):
    """A flow's own row."""

    id: int
    name: str
    active_version_id: int | None
    activated_at: datetime | None
    priority: int


class SavedVersion(NamedTuple):
    """A stored version of a flow."""

    id: int
    number: int
    definition: str


class EndedRun(NamedTuple):
    """A run that was ended with its flow, for its decision."""

    id: UUID
    shop_id: int
    cart_id: UUID
    shopper_id: UUID
    step: str | None


def active_flows(connection: Connection) -> list[ActiveFlowRow]:
    return [ActiveFlowRow(*row) for row in connection.execute(sql("active_flows")).fetchall()]


def flow_versions(connection: Connection, ids: Sequence[int]) -> list[FlowVersionRow]:
    rows = connection.execute(sql("flow_versions_by_id"), {"ids": array_literal(ids)}).fetchall()
    return [FlowVersionRow(*row) for row in rows]


def published_templates(connection: Connection) -> list[PublishedTemplate]:
    return [PublishedTemplate(*row) for row in connection.execute(sql("published_templates")).fetchall()]


def template_content(connection: Connection, version_id: int) -> TemplateContent | None:
    row = connection.execute(sql("template_version_by_id"), {"id": version_id}).fetchone()
    return TemplateContent(*row) if row else None


def provider_accounts(connection: Connection) -> list[ProviderAccountRow]:
    rows = connection.execute(sql("provider_accounts_in_use")).fetchall()
    return [ProviderAccountRow(*row) for row in rows]


def lock_flow(connection: Connection, shop_id: int, key: str) -> FlowRecord | None:
    row = connection.execute(sql("flow_of_shop"), {"shop_id": shop_id, "key": key}).fetchone()
    return FlowRecord(*row) if row else None


def insert_flow(connection: Connection, shop_id: int, key: str, name: str, priority: int) -> int:
    row = connection.execute(
        sql("insert_flow"), {"shop_id": shop_id, "key": key, "name": name, "priority": priority}
    ).fetchone()
    assert row is not None
    return int(row[0])


def rename_flow(connection: Connection, flow_id: int, name: str, priority: int) -> None:
    connection.execute(sql("update_flow_labels"), {"id": flow_id, "name": name, "priority": priority})


def insert_flow_version(
    connection: Connection, flow_id: int, definition: bytes, at: datetime, by: str
) -> tuple[int, int]:
    """Store a definition; returns its id and number."""
    row = connection.execute(
        sql("insert_flow_version"),
        {"flow_id": flow_id, "definition": definition.decode(), "created_at": at, "created_by": by},
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def flow_version(connection: Connection, flow_id: int, number: int | None = None) -> SavedVersion | None:
    """A version by number; the newest without one."""
    row = connection.execute(sql("flow_version_of_flow"), {"flow_id": flow_id, "number": number}).fetchone()
    return SavedVersion(*row) if row else None


def switch_flow(connection: Connection, flow_id: int, version_id: int | None, activated_at: datetime | None) -> None:
    connection.execute(sql("switch_flow"), {"id": flow_id, "version_id": version_id, "activated_at": activated_at})


def template_channels(connection: Connection, shop_id: int) -> dict[str, str]:
    """Template key -> channel, of templates that have a published version."""
    return dict(connection.execute(sql("template_channels_of_shop"), {"shop_id": shop_id}).fetchall())


def put_template(connection: Connection, shop_id: int, key: str, name: str, channel: str) -> tuple[int, str]:
    """Make or find a template; returns its id and channel (an existing one keeps its own)."""
    parameters = {"shop_id": shop_id, "key": key, "name": name, "channel": channel}
    row = connection.execute(sql("put_template"), parameters).fetchone()
    assert row is not None
    return int(row[0]), str(row[1])


def insert_template_version(
    connection: Connection, template_id: int, content: Mapping[str, str], at: datetime, by: str
) -> tuple[int, int]:
    """Store a template's next state (subject, preheader, source, html, text); returns its id and number."""
    parameters = {**content, "template_id": template_id, "created_at": at, "created_by": by}
    row = connection.execute(sql("insert_template_version"), parameters).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def publish_template_version(connection: Connection, template_id: int, version_id: int) -> None:
    connection.execute(sql("publish_template_version"), {"template_id": template_id, "version_id": version_id})


def stop_enrolments_of_flow(
    connection: Connection, bucket: int, flow_id: int, *, reason: str, now: datetime, limit: int
) -> list[EndedRun]:
    """End waiting runs of a flow in one bucket, at most ``limit``."""
    parameters = {"bucket": bucket, "flow_id": flow_id, "reason": reason, "now": now, "limit": limit}
    return [EndedRun(*row) for row in connection.execute(sql("stop_enrolments_of_flow"), parameters).fetchall()]


def hurry_timers(
    connection: Connection,
    bucket: int,
    shop_id: int,
    *,
    stages: Sequence[str],
    idle: timedelta,
    now: datetime,
    after: datetime,
    until: datetime,
    limit: int,
) -> int:
    """Bring timers forward that ring in (after, until] and not yet at the threshold ``idle``; returns how many."""
    parameters = {"bucket": bucket, "shop_id": shop_id, "stages": list(stages), "idle": idle, "now": now}
    parameters |= {"after": after, "until": until, "limit": limit}
    return connection.execute(sql("hurry_timers"), parameters).rowcount
