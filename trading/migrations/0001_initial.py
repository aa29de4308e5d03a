from decimal import Decimal

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "__first__"),
    ]

    operations = [
        migrations.CreateModel(
            name="DayOpening",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("date", models.DateField(unique=True)),
                ("equity", models.DecimalField(decimal_places=12, max_digits=28)),
            ],
        ),
        migrations.CreateModel(
            name="EquityPoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(unique=True)),
                ("equity", models.DecimalField(decimal_places=12, max_digits=28)),
                ("balance", models.DecimalField(decimal_places=12, max_digits=28)),
            ],
        ),
        migrations.CreateModel(
            name="LastPrice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("symbol", models.CharField(max_length=30, unique=True)),
                ("price", models.FloatField(help_text="Quote per base.")),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("name", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("owner", models.CharField(max_length=100)),
                ("epoch", models.PositiveBigIntegerField(default=0)),
                ("expires_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="PaperPosition",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("symbol", models.CharField(max_length=30, unique=True)),
                ("quantity", models.DecimalField(decimal_places=12, default=Decimal("0"), max_digits=28)),
                ("price", models.DecimalField(decimal_places=12, default=Decimal("0"), max_digits=28)),
            ],
        ),
        migrations.CreateModel(
            name="Scan",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(unique=True)),
                ("timeframe", models.CharField(max_length=5)),
            ],
        ),
        migrations.CreateModel(
            name="Bot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "trading_state",
                    models.CharField(
                        choices=[("active", "running"), ("paused", "paused")], default="active", max_length=12
                    ),
                ),
                ("state_reason", models.TextField(blank=True)),
                ("is_replaying", models.BooleanField(default=False, help_text="The simulated past is being replayed.")),
                ("initial_balance", models.DecimalField(decimal_places=12, default=Decimal("0"), max_digits=28)),
                (
                    "balance",
                    models.DecimalField(
                        decimal_places=12,
                        default=Decimal("0"),
                        help_text="Initial balance plus realised PnL less fees.",
                        max_digits=28,
                    ),
                ),
                (
                    "equity",
                    models.DecimalField(
                        decimal_places=12, default=Decimal("0"), help_text="Balance plus unrealised PnL.", max_digits=28
                    ),
                ),
                ("peak_equity", models.DecimalField(decimal_places=12, default=Decimal("0"), max_digits=28)),
                ("losses_in_row", models.PositiveIntegerField(default=0)),
                ("wins_in_row", models.PositiveIntegerField(default=0)),
                ("last_loss_at", models.DateTimeField(blank=True, null=True)),
                ("last_tick_at", models.DateTimeField(blank=True, null=True)),
                ("data_at", models.DateTimeField(blank=True, help_text="Time of the newest price.", null=True)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="one_bot")],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("kind", models.CharField(max_length=40)),
                ("symbol", models.CharField(blank=True, max_length=30)),
                ("text", models.TextField()),
                ("payload", models.JSONField(default=dict)),
            ],
            options={
                "indexes": [models.Index(fields=["-at"], name="event_newest")],
            },
        ),
        migrations.CreateModel(
            name="PaperAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("balance", models.DecimalField(decimal_places=12, max_digits=28)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="one_paper_account")],
            },
        ),
        migrations.CreateModel(
            name="PaperOrder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("client_id", models.CharField(max_length=32, unique=True)),
                ("symbol", models.CharField(max_length=30)),
                ("side", models.CharField(max_length=4)),
                ("kind", models.CharField(max_length=6)),
                ("quantity", models.DecimalField(decimal_places=12, max_digits=28)),
                ("trigger", models.DecimalField(blank=True, decimal_places=12, max_digits=28, null=True)),
                ("reduce_only", models.BooleanField(default=False)),
                ("status", models.CharField(max_length=8)),
                ("placed_at", models.DateTimeField()),
                (
                    "matched_at",
                    models.DateTimeField(help_text="Open time up to which (exclusive) closed bars were matched."),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("status", "open")), fields=["symbol"], name="paper_order_open")
                ],
            },
        ),
        migrations.CreateModel(
            name="PaperFill",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quantity", models.DecimalField(decimal_places=12, max_digits=28)),
                ("price", models.DecimalField(decimal_places=12, max_digits=28)),
                ("fee", models.DecimalField(decimal_places=12, max_digits=28)),
                ("at", models.DateTimeField()),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="fills", to="trading.paperorder"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ParameterRevision",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(unique=True)),
                ("values", models.JSONField(help_text="Every parameter by name.")),
                ("changes", models.JSONField(help_text="List of {name, old, new} against the revision before.")),
                ("reason", models.TextField(help_text="Why it was changed.")),
                ("author_name", models.CharField(max_length=150)),
                ("created_at", models.DateTimeField()),
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
            ],
        ),
        migrations.CreateModel(
            name="TickRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job", models.CharField(max_length=20)),
                ("slot", models.DateTimeField()),
                ("owner", models.CharField(max_length=100)),
                ("started_at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("job", "slot"), name="one_run_per_slot")],
            },
        ),
        migrations.CreateModel(
            name="Watermark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("symbol", models.CharField(max_length=30)),
                ("timeframe", models.CharField(max_length=5)),
                ("bar_at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("symbol", "timeframe"), name="one_watermark")],
            },
        ),
        migrations.CreateModel(
            name="ScanRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rank", models.PositiveSmallIntegerField()),
                ("symbol", models.CharField(max_length=30)),
                ("score", models.FloatField()),
                ("price", models.FloatField()),
                ("regime", models.CharField(max_length=12)),
                ("parts", models.JSONField()),
                (
                    "scan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="rows", to="trading.scan"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("scan", "symbol"), name="one_row_per_scan_and_symbol")],
            },
        ),
    ]
