"""Pauses that venues ask for are known to every process; who may change the trading state is a permission."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0008_entries_by_limit")]
    operations = [
        migrations.CreateModel(
            name="VenuePause",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("venue", models.CharField(max_length=40)),
                ("until", models.DateTimeField()),
            ],
            options={"indexes": [models.Index(fields=["venue", "-until"], name="venue_pause_latest")]},
        ),
        migrations.AlterModelOptions(
            name="bot",
            options={"permissions": [("change_trading_state", "Can halt trading and let it go on")]},
        ),
    ]
