"""What Gemini costs, whether it is left alone, and what people asked and were told."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("mlops", "0002_shadow"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="GeminiUsage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(unique=True)),
                ("tokens", models.PositiveBigIntegerField(default=0)),
                ("cost_micro_usd", models.PositiveBigIntegerField(default=0, help_text="Millionths of a US dollar.")),
                ("calls", models.PositiveIntegerField(default=0)),
                (
                    "failures",
                    models.PositiveIntegerField(default=0, help_text="Calls without an answer that could be used."),
                ),
            ],
        ),
        migrations.CreateModel(
            name="GeminiState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("failures_in_row", models.PositiveIntegerField(default=0)),
                ("open_until", models.DateTimeField(help_text="Nobody asks before; empty: it is asked.", null=True)),
                ("last_error", models.CharField(blank=True, max_length=200)),
                ("last_error_at", models.DateTimeField(null=True)),
                ("answered_at", models.DateTimeField(help_text="When an answer came that could be used.", null=True)),
                (
                    "searched_bar_at",
                    models.DateTimeField(help_text="Newest bar that was searched for a proposal.", null=True),
                ),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="one_gemini_state")],
            },
        ),
        migrations.CreateModel(
            name="ChatMessage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("explain", "explanation of a panel"),
                            ("commentary", "market commentary"),
                            ("analysis", "analysis of a symbol"),
                            ("chat", "question"),
                        ],
                        max_length=10,
                    ),
                ),
                ("topic", models.CharField(blank=True, help_text="The panel or the symbol.", max_length=40)),
                ("user_name", models.CharField(max_length=150)),
                (
                    "reply_to",
                    models.CharField(
                        blank=True, help_text="Where the answer is sent besides; empty: nowhere.", max_length=60
                    ),
                ),
                ("question", models.TextField(blank=True)),
                ("asked_at", models.DateTimeField()),
                (
                    "is_waiting",
                    models.BooleanField(default=False, help_text="Gemini was asked and has not answered yet."),
                ),
                ("answer", models.TextField(help_text="While Gemini is asked: what the rules say.")),
                (
                    "source",
                    models.CharField(
                        choices=[("gemini", "Gemini"), ("rules", "rules")], default="rules", max_length=10
                    ),
                ),
                ("note", models.CharField(blank=True, help_text="Why it is not Gemini that answered.", max_length=200)),
                ("answered_at", models.DateTimeField(null=True)),
                ("model", models.CharField(blank=True, max_length=60)),
                ("prompt", models.CharField(blank=True, help_text="Version and hash.", max_length=60)),
                ("tokens", models.PositiveIntegerField(default=0)),
                ("cost_micro_usd", models.PositiveBigIntegerField(default=0, help_text="Millionths of a US dollar.")),
                ("latency_ms", models.FloatField(default=0.0)),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["-asked_at"], name="chat_newest"),
                    models.Index(fields=["user", "-asked_at"], name="chat_of_user"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_waiting", True)), fields=("user",), name="one_question_at_a_time"
                    )
                ],
            },
        ),
    ]
