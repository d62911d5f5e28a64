"""What makes a consent good enough where the law asks for more: confirmed, in writing, naming cart reminders."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0009_changed_hours")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        *(
            migrations.AddField(
                model_name="contactpoint", name=name, field=models.BooleanField(default=False, db_default=False)
            )
            for name in ("consent_confirmed", "consent_written", "consent_names_carts")
        ),
    ]
