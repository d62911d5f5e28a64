"""How does a test get a thing with only the details that matter? One builder per thing, keyword overrides."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from rekindle.store.database import Connection
from rekindle.store.shops import load_shop
from rekindle.terms.shop import ShopSettings

from .conftest import START


def make_shop(connection: Connection, *, spread: int = 1, now: datetime = START, **overrides: object) -> ShopSettings:
    """Insert a shop with the model's defaults; overrides are column names."""
    defaults = ShopSettings(id=0, slug=f"shop-{secrets.token_hex(4)}", name="Fernweh", spread=spread)
    values: dict[str, object] = {
        field: getattr(defaults, field) for field in defaults.__dataclass_fields__ if field != "id"
    }
    values |= {"write_key": f"wk-{secrets.token_hex(8)}", "created_at": now, "sender_email": "shop@fernweh.example"}
    values |= {
        "country": "AT",  # in the EU, where the rules are the common ones
        "sender_name": "Fernweh",
        "postal_address": "Fernweh, Hauptstr. 1, 10115 Berlin",
        "url": "https://fernweh.example",
    }
    values |= {"restore_url": "https://fernweh.example/cart", "support_email": "help@fernweh.example"} | overrides
    columns = ", ".join(values)
    marks = ", ".join(f"%({name})s" for name in values)
    row = connection.execute(f"INSERT INTO shops ({columns}) VALUES ({marks}) RETURNING id", values).fetchone()
    assert row is not None
    shop = load_shop(connection, row[0])
    assert shop is not None
    return shop


def with_settings(shop: ShopSettings, **changes: object) -> ShopSettings:
    return replace(shop, **changes)  # type: ignore[arg-type]
