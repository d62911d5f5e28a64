"""What was deleted from the ledger of consents lawfully, so that it can be told from what somebody took away."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0020_consent_anchors")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="ConsentRemoval",
            fields=[
                ("seq", models.IntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("shop_id", models.BigIntegerField()),
                ("before", models.DateTimeField()),
                ("row_count", models.BigIntegerField()),
                ("spans", models.JSONField()),
                ("previous_hash", models.BinaryField()),
                ("own_hash", models.BinaryField()),
            ],
            options={"db_table": "consent_removals"},
        ),
    ]
