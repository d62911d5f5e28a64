"""The browsers and apps of shoppers, with the keys that encrypt for each of them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0006_feedback")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="Device",
            fields=[
                ("bucket", models.IntegerField()),
                ("id", models.UUIDField()),
                ("shop_id", models.BigIntegerField()),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shopper_id", models.UUIDField()),
                ("public_key", models.BinaryField()),
                ("auth", models.BinaryField()),
                ("created_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
            ],
            options={
                "db_table": "devices",
                "indexes": [models.Index(fields=["bucket", "shopper_id"], name="devices_shopper")],
            },
        ),
    ]
