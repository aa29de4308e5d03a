"""Messages carry pictures, runs of research are followed, rules of alerts have pauses of their own, and the watch leaves a mark."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0002_roles"),
        ("trading", "0018_notes"),
    ]

    operations = [
        migrations.CreateModel(
            name="Attachment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(help_text="The file's name, as people see it.", max_length=80)),
                ("media", models.CharField(help_text="Its media type.", max_length=60)),
                ("content", models.BinaryField()),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="alertrule",
            name="cool_down_s",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Seconds in which one that is over does not come again; empty: usual.",
                null=True,
                verbose_name="cool-down",
            ),
        ),
        migrations.AddField(
            model_name="alertrule",
            name="escalation_minutes",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Minutes after which a critical one that nobody has acknowledged is told once more; empty: 15.",
                null=True,
                verbose_name="escalation",
            ),
        ),
        migrations.AddField(
            model_name="channelpause",
            name="failures",
            field=models.PositiveIntegerField(default=0, help_text="In a row; nothing was delivered since."),
        ),
        migrations.AddField(
            model_name="delivery",
            name="attachment",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="deliveries",
                to="notifications.attachment",
            ),
        ),
        migrations.CreateModel(
            name="FollowedRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "shown",
                    models.CharField(blank=True, help_text="The status and progress that people see.", max_length=60),
                ),
                ("is_over", models.BooleanField(default=False)),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="notifications.delivery"
                    ),
                ),
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="trading.backtestrun"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="WatchMark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("looked_at", models.DateTimeField()),
                ("up_since", models.DateTimeField(help_text="Since when it looks without a gap.")),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="one_watch_mark")],
            },
        ),
    ]
