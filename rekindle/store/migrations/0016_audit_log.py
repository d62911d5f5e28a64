"""What people did, append-only: a trigger refuses what would change or delete it."""

from django.db import migrations, models

REFUSE = """
CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the log of what people did is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
  FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse();
"""
ALLOW = "DROP TRIGGER audit_log_append_only ON audit_log; DROP FUNCTION audit_log_refuse()"


class Migration(migrations.Migration):
    dependencies = [("store", "0015_double_opt_in")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("shop_id", models.BigIntegerField(null=True)),
                ("actor", models.CharField(max_length=200)),
                ("action", models.CharField(max_length=200)),
                ("outcome", models.CharField(max_length=12)),
                ("subject", models.CharField(max_length=200)),
                ("facts", models.JSONField(default=dict)),
                ("network", models.CharField(max_length=200)),
                ("previous_hash", models.BinaryField()),
                ("row_hash", models.BinaryField()),
            ],
            options={
                "db_table": "audit_log",
                "indexes": [models.Index(fields=["shop_id", "seq"], name="audit_log_shop")],
            },
        ),
        migrations.RunSQL(REFUSE, ALLOW),
    ]
