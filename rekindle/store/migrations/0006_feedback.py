"""Where providers report, and what they and shoppers told: addresses of hooks, tokens seen, strange reports, replies."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0005_routing"),
    ]

    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="SeenToken",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket",
                        "account_id",
                        "token_hash",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("bucket", models.IntegerField()),
                ("account_id", models.BigIntegerField()),
                ("token_hash", models.BinaryField()),
                ("body_hash", models.BinaryField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "db_table": "seen_tokens",
            },
        ),
        migrations.AddField(
            model_name="provideraccount",
            name="hook_secret",
            field=models.BinaryField(db_default=b""),
        ),
        migrations.AddField(
            model_name="provideraccount",
            name="hook_serial",
            field=models.IntegerField(db_default=1),
        ),
        migrations.AddField(
            model_name="provideraccount",
            name="hook_serial_before",
            field=models.IntegerField(null=True),
        ),
        migrations.CreateModel(
            name="Reply",
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
                ("channel", models.CharField(max_length=8)),
                ("account_id", models.BigIntegerField(null=True)),
                ("address_hash", models.BinaryField()),
                ("shopper_bucket", models.IntegerField(null=True)),
                ("shopper_id", models.UUIDField(null=True)),
                ("text", models.TextField()),
                ("verdict", models.CharField(max_length=12)),
                ("at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
                ("settled_as", models.CharField(blank=True, db_default="", max_length=12)),
                ("settled_by", models.CharField(blank=True, db_default="", max_length=150)),
            ],
            options={
                "db_table": "replies",
                "indexes": [
                    models.Index(
                        condition=models.Q(("settled_at", None), ("verdict", "review")),
                        fields=["bucket", "shop_id", "at"],
                        name="replies_waiting",
                    ),
                    models.Index(fields=["bucket", "address_hash"], name="replies_address"),
                ],
            },
        ),
        migrations.CreateModel(
            name="StrangeReport",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id", "name", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("account_id", models.BigIntegerField()),
                ("name", models.CharField(max_length=60)),
                ("times", models.BigIntegerField()),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("sample", models.JSONField(default=dict)),
                (
                    "shop",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="store.shop"),
                ),
            ],
            options={
                "db_table": "strange_reports",
            },
        ),
    ]
