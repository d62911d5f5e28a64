"""How does a test's shop get a flow to run?"""

from __future__ import annotations

from datetime import datetime, timedelta

from rekindle.store import configuration
from rekindle.store.database import Connection
from rekindle.terms.cart import Stage
from rekindle.terms.flow import Flow, Message, Trigger, Wait, dump_flow
from rekindle.terms.shop import ShopSettings

KEYS = ("first", "second", "third")


def give_default_flow(
    connection: Connection, shop: ShopSettings, now: datetime
) -> tuple[tuple[int, int], tuple[int, int, int]]:
    """An active flow with three e-mails; returns (flow id, version id) and the template version ids."""
    steps: list[Wait | Message] = []
    versions: list[int] = []
    for key, hours in zip(KEYS, (4, 24, 72), strict=True):
        steps += [Wait(id=f"wait-{hours}h", delay_s=hours * 3600), Message(id=key, template=f"cart-{key}")]
        versions.append(_template(connection, shop, f"cart-{key}", now))
    flow = Flow(trigger=Trigger(kinds=(Stage.CART, Stage.CHECKOUT, Stage.PAYMENT)), steps=tuple(steps))
    flow_id = configuration.insert_flow(connection, shop.id, "default", "Cart recovery", 0)
    version_id, _ = configuration.insert_flow_version(connection, flow_id, dump_flow(flow), now, "tests")
    configuration.switch_flow(connection, flow_id, version_id, now - timedelta(days=120))
    return (flow_id, version_id), (versions[0], versions[1], versions[2])


def _template(connection: Connection, shop: ShopSettings, key: str, now: datetime) -> int:
    template = connection.execute(
        "INSERT INTO templates (shop_id, key, name, channel) VALUES (%s, %s, %s, 'email') RETURNING id",
        [shop.id, key, key.replace("-", " ").capitalize()],
    ).fetchone()
    assert template is not None
    version = connection.execute(
        "INSERT INTO template_versions (template_id, number, subject, preheader, source, html, text, created_at, created_by)"
        " VALUES (%s, 1, 'Still thinking it over?', '', '', '<p>Your cart is waiting.</p>', '', %s, 'tests') RETURNING id",
        [template[0], now],
    ).fetchone()
    assert version is not None
    connection.execute("UPDATE templates SET published_version_id = %s WHERE id = %s", [version[0], template[0]])
    return int(version[0])
