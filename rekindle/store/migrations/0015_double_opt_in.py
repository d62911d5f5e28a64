"""Confirmations of consents: who was asked, from where, and which sends are such questions."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0014_own_rules")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="shop", name="double_opt_in", field=models.CharField(max_length=8, db_default="law")
        ),
        migrations.AddConstraint(
            model_name="shop",
            constraint=models.CheckConstraint(
                condition=models.Q(double_opt_in__in=["law", "always", "never"]), name="shops_double_opt_in"
            ),
        ),
        migrations.AddField(
            model_name="send", name="kind", field=models.CharField(max_length=12, db_default="reminder")
        ),
        migrations.CreateModel(
            name="OptInRequest",
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
                ("send_id", models.UUIDField()),
                ("asked_at", models.DateTimeField()),
                ("times", models.SmallIntegerField()),
                ("confirmed_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "opt_in_requests"},
        ),
        migrations.CreateModel(
            name="OptInNetwork",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "shop_id", "network", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("shop_id", models.BigIntegerField()),
                ("network", models.CharField(max_length=64)),
                ("since", models.DateTimeField()),
                ("times", models.IntegerField()),
            ],
            options={"db_table": "opt_in_networks"},
        ),
    ]
