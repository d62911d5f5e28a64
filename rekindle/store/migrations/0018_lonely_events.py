"""Events of no cart: an erasure looks through them for the person's address. The partial index holds few rows."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("store", "0017_preferences")]
    operations = [
        migrations.RunSQL(
            [
                ("SET LOCAL lock_timeout = '5s'", None),
                ("CREATE INDEX events_lonely ON events (bucket, shop_id) WHERE cart_id IS NULL", None),
            ],
            migrations.RunSQL.noop,
        )
    ]
