"""What a consent's receipt needs: kept wordings, the key of the shop's servers, purposes beside the channels."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0010_consent_marks")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="shop", name="secret_key_hash", field=models.BinaryField(null=True, unique=True)
        ),
        migrations.AddField(model_name="shop", name="secret_key_at", field=models.DateTimeField(null=True)),
        migrations.AlterField(model_name="consent", name="channel", field=models.CharField(max_length=12)),
        migrations.CreateModel(
            name="ConsentWording",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("purpose", models.CharField(max_length=12)),
                ("language", models.CharField(max_length=12)),
                ("version", models.CharField(max_length=40)),
                ("text", models.TextField()),
                ("text_hash", models.BinaryField()),
                ("mentions_cart", models.BooleanField(db_default=False)),
                ("valid_from", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("created_by", models.CharField(blank=True, db_default="", max_length=150)),
                (
                    "shop",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="store.shop"
                    ),
                ),
            ],
            options={"db_table": "consent_wordings"},
        ),
        migrations.AddConstraint(
            model_name="consentwording",
            constraint=models.UniqueConstraint(
                fields=("shop", "purpose", "language", "version"), name="consent_wordings_version"
            ),
        ),
    ]
