"""One text message a cart: the place that its message takes, held by a key."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0012_privacy")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="TextSlot",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "shop_id", "cart_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("bucket", models.IntegerField()),
                ("shop_id", models.BigIntegerField()),
                ("cart_id", models.UUIDField()),
                ("send_id", models.UUIDField()),
                ("until_at", models.DateTimeField()),
            ],
            options={"db_table": "text_slots"},
        ),
    ]
