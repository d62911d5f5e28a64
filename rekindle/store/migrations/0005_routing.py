"""Weights, limits and pauses of provider accounts, what is used of their limits, alerts; how a keyed send is repeated."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0004_shop_limits")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="AccountQuota",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id", "scope", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("account_id", models.BigIntegerField()),
                ("scope", models.CharField(max_length=253)),
                ("next_at", models.DateTimeField()),
                ("queue_at", models.DateTimeField()),
                ("day", models.DateField()),
                ("day_count", models.IntegerField()),
            ],
            options={"db_table": "account_quotas"},
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "shop",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="store.shop"
                    ),
                ),
                ("kind", models.CharField(max_length=24)),
                ("subject_id", models.BigIntegerField()),
                ("text", models.TextField()),
                ("opened_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("times", models.IntegerField(db_default=1)),
                ("closed_at", models.DateTimeField(null=True)),
                ("closed_by", models.CharField(blank=True, db_default="", max_length=150)),
            ],
            options={"db_table": "alerts"},
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at", None)), fields=("shop", "kind", "subject_id"), name="alerts_open"
            ),
        ),
        migrations.AddField(
            model_name="provideraccount", name="weight", field=models.IntegerField(db_default=100)
        ),
        migrations.AddField(model_name="provideraccount", name="limits", field=models.JSONField(null=True)),
        migrations.AddField(
            model_name="provideraccount",
            name="pause_kind",
            field=models.CharField(blank=True, db_default="", max_length=12),
        ),
        migrations.AddField(
            model_name="provideraccount", name="trip_count", field=models.SmallIntegerField(db_default=0)
        ),
        migrations.AddField(
            model_name="provideraccount", name="probe_until", field=models.DateTimeField(null=True)
        ),
        migrations.AddConstraint(
            model_name="provideraccount",
            constraint=models.CheckConstraint(
                condition=models.Q(("weight__gte", 0), ("weight__lte", 1000)), name="provider_accounts_weight"
            ),
        ),
        migrations.AddField(model_name="outbox", name="first_try_at", field=models.DateTimeField(null=True)),
        migrations.AddField(model_name="outbox", name="letter_hash", field=models.BinaryField(null=True)),
    ]
