"""Sums over rows that change no more."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0002_roles"),
    ]

    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="What was counted.", max_length=20)),
                (
                    "first",
                    models.BigIntegerField(
                        help_text="Keys of rows, or days since 0001-01-01: the first of the stretch,"
                    ),
                ),
                ("last", models.BigIntegerField(help_text="and its last.")),
                ("counts", models.JSONField()),
                ("checked_at", models.DateTimeField(help_text="When it was last compared with the rows.")),
            ],
            options={
                "indexes": [models.Index(fields=["checked_at"], name="tally_checked")],
                "constraints": [models.UniqueConstraint(fields=("name", "first"), name="one_tally_per_stretch")],
            },
        ),
    ]
