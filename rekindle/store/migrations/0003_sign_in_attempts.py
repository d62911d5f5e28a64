"""A small table that counts failed sign-ins, so that the limit holds across web processes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0002_partitions")]
    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.CreateModel(
            name="SignInAttempts",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("failed_count", models.IntegerField()),
                ("first_at", models.DateTimeField()),
            ],
            options={"db_table": "sign_in_attempts"},
        ),
    ]
