"""A shop may set its own caps and gaps; NULL means the house's."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0003_sign_in_attempts")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField(model_name="shop", name="limits", field=models.JSONField(null=True)),
    ]
