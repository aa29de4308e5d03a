"""Make room for runs of research and drafts of parameters, and note how each revision came into force.

SQLite makes a table anew when a column is added, which loses its triggers.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

TABLE = "trading_parameterrevision"


def protect(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        return
    for act in ("UPDATE", "DELETE"):
        schema_editor.execute(
            f"CREATE TRIGGER IF NOT EXISTS {TABLE}_no_{act.lower()} BEFORE {act} ON {TABLE} "
            f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only'); END"
        )


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0011_series_quality"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(migrations.RunPython.noop, protect),
        migrations.AddField(
            model_name="parameterrevision",
            name="gate",
            field=models.CharField(
                choices=[
                    ("direct", "written by Julaba itself"),
                    ("passed", "compared and not worse"),
                    ("safer", "only lowers risk"),
                    ("overruled", "gate overruled by a person"),
                    ("rolled_back", "rolled back"),
                ],
                default="direct",
                max_length=12,
            ),
        ),
        migrations.CreateModel(
            name="BacktestRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("backtest", "backtest"), ("comparison", "comparison with the parameters in force")],
                        default="backtest",
                        max_length=10,
                    ),
                ),
                ("parameters", models.JSONField(help_text="Every parameter by name.")),
                (
                    "against",
                    models.JSONField(blank=True, help_text="Those that a comparison compares with.", null=True),
                ),
                ("symbols", models.JSONField(help_text="List of symbols.")),
                ("timeframe", models.CharField(max_length=5)),
                (
                    "start_at",
                    models.DateTimeField(
                        blank=True, help_text="First moment to trade; empty: the first there is.", null=True
                    ),
                ),
                (
                    "end_at",
                    models.DateTimeField(
                        blank=True, help_text="Last moment to trade; empty: the last there is.", null=True
                    ),
                ),
                (
                    "exchange",
                    models.CharField(
                        blank=True, help_text="Whose candles; empty: those that are traded on.", max_length=60
                    ),
                ),
                (
                    "seed",
                    models.PositiveBigIntegerField(
                        blank=True, help_text="Draws slippage; empty: it is constant.", null=True
                    ),
                ),
                ("note", models.TextField(blank=True)),
                ("requested_by_name", models.CharField(max_length=150)),
                ("requested_at", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "waits for a worker"),
                            ("running", "running"),
                            ("done", "done"),
                            ("failed", "failed"),
                            ("canceled", "canceled"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("progress", models.PositiveSmallIntegerField(default=0, help_text="Percent.")),
                ("attempts", models.PositiveSmallIntegerField(default=0, help_text="How many workers have begun it.")),
                ("worker", models.CharField(blank=True, max_length=150)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                (
                    "heartbeat_at",
                    models.DateTimeField(blank=True, help_text="When its worker was last heard of.", null=True),
                ),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("log", models.JSONField(default=list, help_text="List of {at, text}.")),
                (
                    "data_hash",
                    models.CharField(blank=True, help_text="SHA-256 of the candles it was made on.", max_length=64),
                ),
                ("code_version", models.CharField(blank=True, max_length=40)),
                ("result", models.JSONField(blank=True, help_text="The report; money is text.", null=True)),
                ("error", models.TextField(blank=True, help_text="One sentence: why there is no result.")),
                (
                    "requested_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ParameterDraft",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("values", models.JSONField(help_text="Every parameter by name.")),
                ("changes", models.JSONField(help_text="List of {name, old, new} against the base.")),
                ("reason", models.TextField(help_text="Why it should be changed.")),
                ("author_name", models.CharField(max_length=150)),
                ("created_at", models.DateTimeField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "is being compared"),
                            ("held", "held back: a person has to decide"),
                            ("active", "in force since"),
                            ("stale", "overtaken by another revision"),
                            ("discarded", "discarded"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("finding", models.TextField(blank=True, help_text="What the comparison found, in one sentence.")),
                (
                    "comparison",
                    models.JSONField(blank=True, help_text="Both sides' figures and each rule's verdict.", null=True),
                ),
                ("settled_at", models.DateTimeField(blank=True, null=True)),
                (
                    "settled_by",
                    models.CharField(blank=True, help_text="Who overruled the gate or discarded it.", max_length=150),
                ),
                ("overrule_reason", models.TextField(blank=True)),
                (
                    "author",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "base",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="trading.parameterrevision"
                    ),
                ),
                (
                    "revision",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="draft",
                        to="trading.parameterrevision",
                    ),
                ),
                (
                    "run",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="draft",
                        to="trading.backtestrun",
                    ),
                ),
            ],
            options={
                "permissions": [("overrule_gate", "Can put parameters in force that the gate holds back")],
            },
        ),
        migrations.AddIndex(
            model_name="backtestrun",
            index=models.Index(fields=["-requested_at"], name="backtest_run_newest"),
        ),
        migrations.AddConstraint(
            model_name="backtestrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "backtest"), ("status", "queued")),
                fields=("requested_by_name",),
                name="one_queued_run_each",
            ),
        ),
        migrations.AddConstraint(
            model_name="backtestrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("progress__lte", 100)), name="run_progress_is_percent"
            ),
        ),
        migrations.AddConstraint(
            model_name="backtestrun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "done"), _negated=True), ("result__isnull", False), _connector="OR"
                ),
                name="run_that_is_done_has_result",
            ),
        ),
        migrations.AddIndex(
            model_name="parameterdraft",
            index=models.Index(fields=["-created_at"], name="parameter_draft_newest"),
        ),
        migrations.AddConstraint(
            model_name="parameterdraft",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("revision__isnull", False), ("status", "active")),
                    models.Q(models.Q(("status", "active"), _negated=True), ("revision__isnull", True)),
                    _connector="OR",
                ),
                name="active_draft_has_revision",
            ),
        ),
        migrations.RunPython(protect, migrations.RunPython.noop),
    ]
