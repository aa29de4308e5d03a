"""Make room for people's notes and tags on trades, and for studies among the runs of research.

A note is append-only: the database refuses UPDATE and DELETE on it.
"""

import django.db.models.deletion
from django.db import migrations, models

TABLE = "trading_tradenote"


def protect(apps, schema_editor):
    postgresql = schema_editor.connection.vendor == "postgresql"
    for act in ("UPDATE", "DELETE"):
        does = (
            "FOR EACH ROW EXECUTE FUNCTION julaba_append_only()"
            if postgresql
            else f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only'); END"
        )
        schema_editor.execute(f"CREATE TRIGGER {TABLE}_no_{act.lower()} BEFORE {act} ON {TABLE} {does}")


def release(apps, schema_editor):
    where = f" ON {TABLE}" if schema_editor.connection.vendor == "postgresql" else ""
    for act in ("update", "delete"):
        schema_editor.execute(f"DROP TRIGGER {TABLE}_no_{act}{where}")


class Migration(migrations.Migration):
    dependencies = [("trading", "0017_operation")]

    operations = [
        migrations.CreateModel(
            name="TradeNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField()),
                ("by", models.CharField(max_length=150)),
                ("at", models.DateTimeField()),
                (
                    "trade",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="notes", to="trading.trade"
                    ),
                ),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=~models.Q(text=""), name="trade_note_says_something")],
            },
        ),
        migrations.CreateModel(
            name="TradeTag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="Lower case letters, digits and hyphens.", max_length=30)),
                ("by", models.CharField(max_length=150)),
                ("at", models.DateTimeField()),
                (
                    "trade",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tags", to="trading.trade"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["name"], name="trade_tag_name")],
                "constraints": [models.UniqueConstraint(fields=("trade", "name"), name="one_tag_of_a_name_per_trade")],
            },
        ),
        migrations.RunPython(protect, release),
        migrations.AddField(
            model_name="backtestrun",
            name="plan",
            field=models.JSONField(
                blank=True,
                help_text="What a study was asked besides: what to vary, windows, draws.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="backtestrun",
            name="kind",
            field=models.CharField(
                choices=[
                    ("backtest", "backtest"),
                    ("comparison", "comparison with the parameters in force"),
                    ("sweep", "sweep"),
                    ("walk", "walk-forward"),
                    ("montecarlo", "Monte Carlo"),
                    ("parity", "parity with what was really decided"),
                ],
                default="backtest",
                max_length=10,
            ),
        ),
        migrations.RemoveConstraint(model_name="backtestrun", name="one_queued_run_each"),
        migrations.AddConstraint(
            model_name="backtestrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "queued"), models.Q(("kind", "comparison"), _negated=True)),
                fields=("requested_by_name",),
                name="one_queued_run_each",
            ),
        ),
    ]
