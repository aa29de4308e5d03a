"""Let several workers share a sweep or a walk forward: its parts as rows."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0019_indexes_of_lists"),
    ]

    operations = [
        migrations.CreateModel(
            name="RunPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
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
                (
                    "attempts",
                    models.PositiveSmallIntegerField(default=0, help_text="How many workers have begun it."),
                ),
                ("worker", models.CharField(blank=True, max_length=150)),
                (
                    "heartbeat_at",
                    models.DateTimeField(blank=True, help_text="When its worker was last heard of.", null=True),
                ),
                ("number", models.PositiveIntegerField(help_text="From 0.")),
                ("size", models.PositiveIntegerField(help_text="Points that it tries.")),
                ("done", models.PositiveIntegerField(default=0, help_text="Of them.")),
                ("found", models.BinaryField(help_text="Trials, as research.packing packs them.", null=True)),
                ("error", models.TextField(blank=True, help_text="One sentence: why nothing was found.")),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="parts", to="trading.backtestrun"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("run", "number"), name="run_part_once")],
            },
        ),
    ]
