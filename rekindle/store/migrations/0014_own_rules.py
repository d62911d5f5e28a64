"""A shop's own rules over the policy pack, with a history that only grows."""

import django.db.models.deletion
from django.db import migrations, models

_KEEP = """
CREATE FUNCTION rule_changes_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the history of rules is never changed';
END $$;
CREATE TRIGGER rule_changes_only_grow BEFORE UPDATE OR DELETE OR TRUNCATE ON rule_changes
FOR EACH STATEMENT EXECUTE FUNCTION rule_changes_only_grow();
"""
_FREE = """
DROP TRIGGER rule_changes_only_grow ON rule_changes;
DROP FUNCTION rule_changes_only_grow();
"""


class Migration(migrations.Migration):
    dependencies = [("store", "0013_text_slots")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField(model_name="shop", name="own_rules", field=models.JSONField(null=True)),
        migrations.CreateModel(
            name="RuleChangeRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("person_id", models.BigIntegerField()),
                ("person_name", models.CharField(max_length=150)),
                ("role", models.CharField(max_length=12)),
                ("loosens", models.BooleanField()),
                ("reason", models.TextField()),
                ("changes", models.JSONField()),
                ("own_rules", models.JSONField(null=True)),
                (
                    "shop",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="store.shop"
                    ),
                ),
            ],
            options={"db_table": "rule_changes"},
        ),
        migrations.RunSQL(_KEEP, _FREE),
    ]
