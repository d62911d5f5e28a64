"""Anchors of the consent ledger: what was in it up to an instant, in one number that is also kept outside."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0019_installation")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="ConsentAnchor",
            fields=[
                ("seq", models.IntegerField(primary_key=True, serialize=False)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("row_count", models.BigIntegerField()),
                ("digest", models.BinaryField()),
                ("previous_hash", models.BinaryField()),
                ("own_hash", models.BinaryField()),
            ],
            options={"db_table": "consent_anchors"},
        ),
        migrations.AddIndex(
            model_name="consent", index=models.Index(fields=["bucket", "recorded_at"], name="consents_recorded")
        ),
    ]
