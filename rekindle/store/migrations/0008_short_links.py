"""Short links of text messages are found by their hash; letters have none, so the index holds text messages only."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0007_devices")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="send",
            index=models.Index(
                fields=["bucket", "link_hash"], name="sends_short_link", condition=models.Q(channel="sms")
            ),
        ),
    ]
