"""What shoppers chose about messages; NULL: nothing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0016_audit_log")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField(model_name="shopper", name="preferences", field=models.JSONField(null=True)),
    ]
