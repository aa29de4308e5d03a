"""Keep what people ask of open trades by hand: parts to be closed, stops to be moved."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0020_run_parts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Instruction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "act",
                    models.CharField(
                        choices=[
                            ("part", "close a part"),
                            ("stop", "move the stop"),
                            ("break_even", "stop to break-even"),
                        ],
                        max_length=10,
                    ),
                ),
                ("fraction", models.FloatField(blank=True, help_text="Of what is open when it is done.", null=True)),
                ("quantity", models.DecimalField(blank=True, decimal_places=12, max_digits=28, null=True)),
                ("stop", models.FloatField(blank=True, help_text="As asked; of break-even, as it was set.", null=True)),
                ("stop_before", models.FloatField(blank=True, null=True)),
                (
                    "share",
                    models.FloatField(
                        default=0.0, help_text="Of the first quantity, taken off the position when it was sent."
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("by", models.CharField(max_length=150)),
                (
                    "key",
                    models.CharField(
                        help_text="The same press of a button, however often it comes.", max_length=64, unique=True
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "waits for the next tick"),
                            ("sent", "sent"),
                            ("done", "done"),
                            ("refused", "not done"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("text", models.CharField(blank=True, help_text="What became of it, in a sentence.", max_length=500)),
                (
                    "order",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="instruction",
                        to="trading.order",
                    ),
                ),
                (
                    "trade",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="instructions", to="trading.trade"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ("waiting", "sent"))),
                        fields=["status"],
                        name="instruction_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ("waiting", "sent"))),
                        fields=("trade",),
                        name="one_open_instruction_per_trade",
                    )
                ],
            },
        ),
    ]
