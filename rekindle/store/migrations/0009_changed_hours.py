"""Hours of which a sum changed after they were counted; which attributions a run has. Sums are counted anew at once."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0008_short_links")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="ChangedHour",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("bucket", models.IntegerField()),
                ("id", models.UUIDField()),
                ("shop_id", models.BigIntegerField()),
                ("hour", models.DateTimeField()),
            ],
            options={"db_table": "changed_hours"},
        ),
        migrations.AddIndex(
            model_name="attribution",
            index=models.Index(fields=["bucket", "shop_id", "enrolment_id"], name="attributions_run"),
        ),
        migrations.RunSQL("UPDATE jobs SET due_at = '-infinity' WHERE name = 'measure-deep'", migrations.RunSQL.noop),
    ]
