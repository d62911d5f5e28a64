"""Turn the append-only tables into partitioned ones and set storage options.

Django's state stays what 0001 says; only the physical form changes, while the tables are still empty.
"""

from django.db import migrations

DAILY = ["events", "send_events", "decisions"]
MONTHLY = ["sends"]

INDEXES = {
    # cart page and timeline
    "events": ["CREATE INDEX events_cart ON events (bucket, cart_id) WHERE cart_id IS NOT NULL"],
    # state of a send; a shopper's clicks for attribution
    "send_events": [
        "CREATE INDEX send_events_send ON send_events (bucket, send_id)",
        "CREATE INDEX send_events_clicks ON send_events (bucket, shopper_id, at) WHERE kind IN ('clicked', 'restored')",
    ],
    # "why did / did not this shopper get this message?"
    "decisions": ["CREATE INDEX decisions_cart ON decisions (bucket, cart_id) WHERE cart_id IS NOT NULL"],
    "sends": [
        "CREATE INDEX sends_shopper ON sends (bucket, shopper_id, created_at)",
        "CREATE INDEX sends_cart ON sends (bucket, cart_id)",
    ],
}

OPTIONS = [
    "ALTER TABLE carts SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02)",
    "ALTER TABLE enrolments SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02)",
    "ALTER TABLE outbox SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01)",
    "ALTER TABLE shoppers SET (fillfactor = 85)",
    "ALTER TABLE visitors SET (fillfactor = 85)",
]


def statements() -> list[str]:
    """One statement per entry: Citus refuses several in one call."""
    out = []
    for table in DAILY + MONTHLY:
        out += [
            f"CREATE TABLE {table}_parts (LIKE {table}) PARTITION BY RANGE (id)",
            f"DROP TABLE {table}",
            f"ALTER TABLE {table}_parts RENAME TO {table}",
            f"ALTER TABLE {table} ADD CONSTRAINT {table}_pkey PRIMARY KEY (bucket, id)",
            f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT",
            *INDEXES[table],
        ]
    return ["SET LOCAL lock_timeout = '5s'", *out, *OPTIONS]


class Migration(migrations.Migration):
    dependencies = [("store", "0001_schema")]
    operations = [migrations.RunSQL([(sql, None) for sql in statements()], migrations.RunSQL.noop)]
