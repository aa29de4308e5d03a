"""Make room for samples, models, the runs that train them and reports of drift."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [("trading", "0013_runs_and_drafts")]

    operations = [
        migrations.CreateModel(
            name="ModelVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("predictor", "probability that a setup wins"), ("regime", "favourable market state")],
                        max_length=9,
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("candidate", "candidate"),
                            ("champion", "champion"),
                            ("retired", "retired"),
                            ("refused", "refused"),
                        ],
                        max_length=9,
                    ),
                ),
                ("reason", models.TextField(help_text="Why it has this status.")),
                ("decided_by_name", models.CharField(max_length=150)),
                ("decided_at", models.DateTimeField()),
                ("created_by_name", models.CharField(max_length=150)),
                ("created_at", models.DateTimeField()),
                (
                    "promoted_at",
                    models.DateTimeField(blank=True, help_text="When it last became the champion.", null=True),
                ),
                ("venue", models.CharField(help_text="Whose candles it was trained on.", max_length=60)),
                ("timeframe", models.CharField(max_length=5)),
                (
                    "trained_until",
                    models.DateTimeField(blank=True, help_text="End of the newest sample it has seen.", null=True),
                ),
                ("samples", models.PositiveIntegerField()),
                ("data_hash", models.CharField(max_length=64)),
                ("schema_hash", models.CharField(max_length=64)),
                ("code_version", models.CharField(max_length=40)),
                ("settings", models.JSONField(default=dict, help_text="How it was trained.")),
                ("metrics", models.JSONField(default=dict, help_text="Out of sample.")),
                ("importance", models.JSONField(default=dict, help_text="Share of each feature, by name.")),
                ("calibration", models.JSONField(default=dict, help_text="Plain numbers: slope and intercept.")),
                (
                    "profile",
                    models.JSONField(default=dict, help_text="By feature: edges of the bins, and the share in each."),
                ),
                (
                    "path",
                    models.CharField(
                        blank=True, help_text="File in the folder of models; empty: none was made.", max_length=200
                    ),
                ),
                ("sha256", models.CharField(blank=True, max_length=64)),
                (
                    "influence",
                    models.FloatField(default=0.0, help_text="How much it may move a decision, 0 to 1, as earned."),
                ),
                ("influence_reason", models.TextField(blank=True)),
            ],
            options={
                "permissions": [("promote_model", "Can promote, retire and roll back models")],
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "number"), name="one_model_per_number"),
                    models.UniqueConstraint(
                        condition=models.Q(("status", "champion")), fields=("kind",), name="one_champion_per_kind"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("influence__gte", 0), ("influence__lte", 1)), name="influence_is_a_fraction"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Sample",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("backtest", "backtest"),
                            ("shadow", "refused setup, followed"),
                            ("live", "closed trade"),
                        ],
                        max_length=8,
                    ),
                ),
                ("venue", models.CharField(help_text="Whose candles.", max_length=60)),
                (
                    "mode",
                    models.CharField(
                        blank=True, help_text="Paper or live; empty where it is a backtest's.", max_length=5
                    ),
                ),
                ("weight", models.FloatField()),
                ("symbol", models.CharField(max_length=30)),
                ("timeframe", models.CharField(max_length=5)),
                ("bar_at", models.DateTimeField(help_text="Open time of the bar that closed with the setup.")),
                ("ended_at", models.DateTimeField(help_text="When it was known what became of it.")),
                ("side", models.CharField(choices=[("long", "long"), ("short", "short")], max_length=5)),
                (
                    "features",
                    models.BinaryField(
                        help_text="Little-endian float64, one by name of the schema; NaN where missing."
                    ),
                ),
                ("schema_hash", models.CharField(max_length=64)),
                ("passed", models.BooleanField(help_text="Every filter let it pass.")),
                ("won", models.BooleanField(help_text="It made money after costs.")),
                ("r", models.FloatField(help_text="What it made after costs, over what was lost at the first stop.")),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["venue", "schema_hash"], name="sample_by_venue")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "venue", "symbol", "timeframe", "bar_at"), name="one_sample_per_bar"
                    ),
                    models.CheckConstraint(condition=models.Q(("weight__gt", 0)), name="sample_weight_positive"),
                ],
            },
        ),
        migrations.CreateModel(
            name="DriftReport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("asked", models.PositiveIntegerField(help_text="Newest questions that were compared.")),
                (
                    "features",
                    models.JSONField(help_text="Population stability index by feature; null: too little to compare."),
                ),
                ("worst", models.FloatField(help_text="The largest of them.", null=True)),
                ("judged", models.PositiveIntegerField(help_text="Newest answers whose outcome is known.")),
                ("calibration", models.FloatField(help_text="Mean probability less the share that won.", null=True)),
                ("accuracy", models.FloatField(help_text="Share of the answers that were right.", null=True)),
                ("alerts", models.JSONField(default=list, help_text="Sentences; none: nothing is wrong.")),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="drift_reports",
                        to="mlops.modelversion",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["version", "-at"], name="drift_newest")],
            },
        ),
        migrations.CreateModel(
            name="TrainingRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("predictor", "probability that a setup wins"), ("regime", "favourable market state")],
                        max_length=9,
                    ),
                ),
                (
                    "options",
                    models.JSONField(default=dict, help_text="Whose candles, which symbols, how samples are made."),
                ),
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
                ("error", models.TextField(blank=True, help_text="One sentence: why there is no model.")),
                (
                    "version",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="runs",
                        to="mlops.modelversion",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["status", "-requested_at"], name="training_newest")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "queued")), fields=("kind",), name="one_training_waits_per_kind"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ChallengerAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("confidence", models.FloatField(help_text="0 to 1.")),
                ("at", models.DateTimeField()),
                (
                    "signal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="trading.signal"
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="answers", to="mlops.modelversion"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("version", "signal"), name="one_answer_per_challenger")
                ],
            },
        ),
    ]
