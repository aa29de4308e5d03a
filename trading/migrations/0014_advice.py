"""Make room for what advisers say, for signals that wait for it, and for what the AI proposes.

Advice is history: the database refuses UPDATE and DELETE on it.
"""

import django.db.models.deletion
from django.db import migrations, models

TABLE = "trading_advice"


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


def decide_what_waits(apps, schema_editor):
    """Going back, nothing may wait any more."""
    apps.get_model("trading", "Signal").objects.filter(status="awaiting").update(status="expired")


class Migration(migrations.Migration):
    dependencies = [("trading", "0013_runs_and_drafts")]

    operations = [
        migrations.AddField(
            model_name="signal",
            name="advice_due_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Until when advisers outside the tick could answer; null: none was asked.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="signal",
            name="decided_at",
            field=models.DateTimeField(help_text="While it awaits advice: since when."),
        ),
        migrations.AlterField(
            model_name="signal",
            name="status",
            field=models.CharField(
                choices=[
                    ("taken", "taken"),
                    ("refused", "refused"),
                    ("expired", "expired"),
                    ("awaiting", "awaiting advice"),
                ],
                max_length=10,
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, decide_what_waits),
        migrations.CreateModel(
            name="Advice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(help_text="Name of the adviser, and of its verdict.", max_length=20)),
                ("approve", models.BooleanField(null=True)),
                (
                    "confidence",
                    models.FloatField(help_text="0 to 1; a predictor's is the probability of a win.", null=True),
                ),
                (
                    "influence",
                    models.FloatField(default=1.0, help_text="How much it might move the decision, 0 to 1."),
                ),
                ("reason", models.TextField(blank=True)),
                ("risk", models.CharField(blank=True, max_length=10)),
                ("against", models.JSONField(default=list, help_text="Reasons against, as a list of texts.")),
                ("model", models.CharField(blank=True, max_length=80)),
                ("prompt", models.CharField(blank=True, help_text="Version and hash.", max_length=80)),
                ("tokens", models.PositiveIntegerField(default=0)),
                ("cost_usd", models.FloatField(default=0.0)),
                ("latency_ms", models.FloatField(default=0.0)),
                ("features", models.JSONField(help_text="What the answer rests on, by name.", null=True)),
                ("at", models.DateTimeField()),
                (
                    "is_late",
                    models.BooleanField(default=False, help_text="It came after the decision and changed nothing."),
                ),
                (
                    "signal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="advices", to="trading.signal"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["source", "-at"], name="advice_newest")],
                "constraints": [models.UniqueConstraint(fields=("signal", "source"), name="one_advice_per_source")],
            },
        ),
        migrations.CreateModel(
            name="Proposal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("symbol", models.CharField(max_length=30)),
                ("side", models.CharField(choices=[("long", "long"), ("short", "short")], max_length=5)),
                ("price", models.FloatField(help_text="When it was proposed, quote per base.")),
                ("mode", models.CharField(help_text="ai_mode when it was proposed.", max_length=10)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "waits for a person"),
                            ("confirmed", "confirmed, waits for a bar"),
                            ("rejected", "rejected"),
                            ("expired", "expired"),
                            ("taken", "taken"),
                            ("refused", "refused"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("confidence", models.FloatField(help_text="0 to 1.")),
                ("reason", models.TextField(blank=True)),
                ("risk", models.CharField(blank=True, max_length=10)),
                ("against", models.JSONField(default=list, help_text="Reasons against, as a list of texts.")),
                ("model", models.CharField(blank=True, max_length=80)),
                ("prompt", models.CharField(blank=True, help_text="Version and hash.", max_length=80)),
                ("tokens", models.PositiveIntegerField(default=0)),
                ("cost_usd", models.FloatField(default=0.0)),
                ("latency_ms", models.FloatField(default=0.0)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                (
                    "decided_by",
                    models.CharField(blank=True, help_text="Empty: Julaba itself, in autonomous mode.", max_length=150),
                ),
                ("outcome", models.TextField(blank=True, help_text="What became of it, in words.")),
                (
                    "signal",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="proposal",
                        to="trading.signal",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["-created_at"], name="proposal_newest")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ("pending", "confirmed"))),
                        fields=("symbol",),
                        name="one_open_proposal_per_symbol",
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(
                condition=models.Q(("status", "awaiting")), fields=["advice_due_at"], name="signal_awaiting"
            ),
        ),
        migrations.RunPython(protect, release),
    ]
