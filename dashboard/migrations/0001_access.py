"""Who may come in: tokens, sessions, locks of the log-in, limits and kept answers."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LoginLock",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("failures", models.PositiveIntegerField(default=0)),
                (
                    "locks",
                    models.PositiveIntegerField(
                        default=0, help_text="How often it was locked in a row; each lasts longer."
                    ),
                ),
                ("locked_until", models.DateTimeField(null=True)),
                ("at", models.DateTimeField(help_text="When it was last tried.")),
            ],
        ),
        migrations.CreateModel(
            name="Quota",
            fields=[
                ("key", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("window_at", models.DateTimeField()),
                ("taken", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="KeptAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("asker", models.CharField(help_text="user:ID or token:ID.", max_length=40)),
                ("key", models.CharField(max_length=100)),
                ("method", models.CharField(max_length=7)),
                ("path", models.CharField(max_length=300)),
                ("asked", models.CharField(help_text="SHA-256 of the body, as hexadecimal.", max_length=64)),
                ("at", models.DateTimeField()),
                ("status", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("kind", models.CharField(blank=True, help_text="Content type.", max_length=60)),
                ("body", models.TextField(blank=True)),
            ],
            options={
                "indexes": [models.Index(fields=["at"], name="kept_answer_age")],
                "constraints": [models.UniqueConstraint(fields=("asker", "key"), name="one_answer_per_key")],
            },
        ),
        migrations.CreateModel(
            name="SessionRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("session_key", models.CharField(max_length=40, unique=True)),
                ("address", models.CharField(blank=True, max_length=45)),
                ("agent", models.CharField(blank=True, help_text="What the browser calls itself.", max_length=200)),
                ("begun_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField(help_text="To the minute.")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="session_records",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="What it is for.", max_length=60)),
                (
                    "scope",
                    models.CharField(
                        choices=[("read", "read"), ("trade", "trade"), ("admin", "admin")], default="read", max_length=5
                    ),
                ),
                ("prefix", models.CharField(help_text="The first characters, by which people know it.", max_length=12)),
                (
                    "digest",
                    models.CharField(
                        help_text="SHA-256 of the whole token, as hexadecimal.", max_length=64, unique=True
                    ),
                ),
                (
                    "per_minute",
                    models.PositiveIntegerField(default=600, help_text="Requests that it may make in a minute."),
                ),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("last_used_at", models.DateTimeField(blank=True, help_text="To the minute.", null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_tokens",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("scope__in", ["read", "trade", "admin"])), name="token_has_a_scope"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("expires_at__gt", models.F("created_at"))),
                        name="token_expires_after_it_was_made",
                    ),
                    models.CheckConstraint(condition=models.Q(("per_minute__gt", 0)), name="token_may_ask_something"),
                ],
            },
        ),
    ]
