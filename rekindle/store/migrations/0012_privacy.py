"""Requests about personal data, their history and their files; who objected."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("store", "0011_consent_receipts"),
    ]

    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="shopper",
            name="objected_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="PrivacyEvent",
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
                ("request_id", models.UUIDField()),
                ("at", models.DateTimeField()),
                ("what", models.CharField(max_length=16)),
                ("by", models.CharField(default="", max_length=150)),
                ("detail", models.JSONField(default=dict)),
            ],
            options={
                "db_table": "privacy_events",
                "indexes": [models.Index(fields=["bucket", "request_id", "at"], name="privacy_events_request")],
            },
        ),
        migrations.CreateModel(
            name="PrivacyRequest",
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
                ("kind", models.CharField(max_length=16)),
                ("state", models.CharField(max_length=12)),
                ("source", models.CharField(max_length=24)),
                ("regions", models.TextField(default="")),
                ("subjects", models.JSONField(default=list)),
                ("customer_key", models.TextField(default="")),
                ("note", models.TextField(default="")),
                ("shopper_bucket", models.IntegerField(null=True)),
                ("shopper_id", models.UUIDField(null=True)),
                ("received_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("acknowledge_by", models.DateTimeField(null=True)),
                ("acknowledged_at", models.DateTimeField(null=True)),
                ("escalate_at", models.DateTimeField()),
                ("escalated_at", models.DateTimeField(null=True)),
                ("extended_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "privacy_requests",
                "indexes": [
                    models.Index(fields=["bucket", "shop_id", "received_at"], name="privacy_requests_received"),
                    models.Index(
                        condition=models.Q(("closed_at", None)),
                        fields=["bucket", "shop_id", "due_at"],
                        name="privacy_requests_open",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SubjectExport",
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
                ("request_id", models.UUIDField()),
                ("state", models.CharField(max_length=8)),
                ("ordered_at", models.DateTimeField()),
                ("ordered_by", models.CharField(default="", max_length=150)),
                ("lease_until", models.DateTimeField(null=True)),
                ("ready_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(null=True)),
                ("taken_at", models.DateTimeField(null=True)),
                ("taken_by", models.CharField(default="", max_length=150)),
                ("manifest", models.JSONField(default=dict)),
                ("content", models.BinaryField(null=True)),
            ],
            options={
                "db_table": "subject_exports",
                "indexes": [
                    models.Index(fields=["bucket", "request_id"], name="subject_exports_request"),
                    models.Index(
                        condition=models.Q(("state__in", ["ordered", "ready"])),
                        fields=["bucket", "ordered_at"],
                        name="subject_exports_waiting",
                    ),
                ],
            },
        ),
    ]
