"""Make room for what became of refused setups, for advisers that count for nothing, and for the figures of reports."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("mlops", "0001_learning"), ("trading", "0014_advice")]

    operations = [
        migrations.CreateModel(
            name="ShadowOutcome",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("refused_by", models.CharField(max_length=40)),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "open"), ("closed", "closed"), ("void", "void")], default="open", max_length=6
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                (
                    "due_at",
                    models.DateTimeField(help_text="When its next bar has closed, or when it is looked at again."),
                ),
                (
                    "next_bar_at",
                    models.DateTimeField(help_text="Open time of the first bar that was not followed yet."),
                ),
                (
                    "plan",
                    models.JSONField(
                        default=dict, help_text="Quantity, stop, exit rules, grid and costs; empty before entry."
                    ),
                ),
                (
                    "position",
                    models.JSONField(default=list, help_text="The state machine's value; empty before entry."),
                ),
                (
                    "exits",
                    models.JSONField(
                        default=list, help_text="Each part that left: moment, price, quantity, reason and fee."
                    ),
                ),
                (
                    "entry",
                    models.DecimalField(
                        decimal_places=12, help_text="Quote per base, slippage included.", max_digits=28, null=True
                    ),
                ),
                (
                    "exit",
                    models.DecimalField(
                        decimal_places=12,
                        help_text="Mean price of all exits, quote per base.",
                        max_digits=28,
                        null=True,
                    ),
                ),
                (
                    "pnl",
                    models.DecimalField(decimal_places=12, help_text="Quote, after fees.", max_digits=28, null=True),
                ),
                (
                    "r",
                    models.FloatField(help_text="PnL over what the way from entry to first stop is worth.", null=True),
                ),
                ("won", models.BooleanField(null=True)),
                ("bars", models.PositiveIntegerField(default=0, help_text="Bars that it was held for.")),
                ("end_reason", models.CharField(blank=True, max_length=20)),
                ("opened_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "signal",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="shadow", to="trading.signal"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("state", "open")), fields=["due_at"], name="shadow_due"),
                    models.Index(fields=["-ended_at"], name="shadow_newest"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Bypass",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source", models.CharField(max_length=40)),
                ("began_at", models.DateTimeField()),
                ("reason", models.TextField()),
                ("figures", models.JSONField(help_text="Decisions, value in R and its interval, when it began.")),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("ended_reason", models.TextField(blank=True)),
                ("ended_by", models.CharField(blank=True, help_text="Empty: by rule.", max_length=150)),
            ],
            options={
                "verbose_name_plural": "bypasses",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)), fields=("source",), name="one_bypass_per_source"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Scorecard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("days", models.PositiveSmallIntegerField(help_text="0: everything on record.", unique=True)),
                ("at", models.DateTimeField()),
                ("figures", models.JSONField()),
            ],
        ),
    ]
