"""Which database this is, by which a restored one is noticed; how long a shop keeps what; the platform of a shop."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0018_lonely_events"),
    ]

    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="Installation",
            fields=[
                ("number", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=40)),
                ("beat", models.BigIntegerField()),
                ("beaten_at", models.DateTimeField()),
            ],
            options={
                "db_table": "installation",
            },
        ),
        migrations.AddField(
            model_name="shop",
            name="retention",
            field=models.JSONField(null=True),
        ),
        migrations.CreateModel(
            name="RetentionRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("shop_id", models.BigIntegerField(null=True)),
                ("data_class", models.CharField(max_length=20)),
                ("at", models.DateTimeField()),
                ("before", models.DateTimeField()),
                ("row_count", models.BigIntegerField()),
                ("partitions", models.TextField(default="")),
            ],
            options={
                "db_table": "retention_runs",
                "indexes": [models.Index(fields=["at"], name="retention_runs_at")],
            },
        ),
        migrations.CreateModel(
            name="ShopPlatform",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=20)),
                ("domain", models.CharField(max_length=253, unique=True)),
                ("secret", models.BinaryField()),
                (
                    "shop",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="store.shop"),
                ),
            ],
            options={
                "db_table": "shop_platforms",
            },
        ),
    ]
