from decimal import Decimal

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[("entry", "entry"), ("stop", "protective stop"), ("exit", "exit")], max_length=5
                    ),
                ),
                ("reason", models.CharField(help_text="Which level or act asked for it.", max_length=20)),
                ("kind", models.CharField(max_length=6)),
                ("side", models.CharField(max_length=4)),
                ("quantity", models.DecimalField(decimal_places=12, max_digits=28)),
                ("trigger", models.DecimalField(blank=True, decimal_places=12, max_digits=28, null=True)),
                (
                    "level",
                    models.DecimalField(
                        blank=True,
                        decimal_places=12,
                        help_text="Where the fill model says the watched level was filled.",
                        max_digits=28,
                        null=True,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("intent", "recorded"),
                            ("submitting", "permitted"),
                            ("unknown", "outcome unknown"),
                            ("open", "open"),
                            ("filled", "filled"),
                            ("canceled", "canceled"),
                            ("rejected", "rejected"),
                            ("absent", "never arrived"),
                            ("expired", "expired"),
                        ],
                        default="intent",
                        max_length=10,
                    ),
                ),
                ("number", models.PositiveIntegerField(help_text="Counts the orders of the trade.")),
                ("client_id", models.CharField(max_length=32, unique=True)),
                ("venue_order_id", models.CharField(blank=True, max_length=64)),
                ("created_at", models.DateTimeField()),
                ("permit_at", models.DateTimeField(blank=True, null=True)),
                (
                    "epoch",
                    models.PositiveBigIntegerField(blank=True, help_text="Lease epoch of the permit.", null=True),
                ),
                ("filled", models.DecimalField(decimal_places=12, default=Decimal("0"), max_digits=28)),
                ("note", models.TextField(blank=True)),
            ],
        ),
        migrations.CreateModel(
            name="Fill",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("venue_fill_id", models.CharField(max_length=64, unique=True)),
                ("quantity", models.DecimalField(decimal_places=12, max_digits=28)),
                ("price", models.DecimalField(decimal_places=12, max_digits=28)),
                ("fee", models.DecimalField(decimal_places=12, max_digits=28)),
                ("at", models.DateTimeField()),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="fills", to="trading.order"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Signal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("symbol", models.CharField(max_length=30)),
                ("timeframe", models.CharField(max_length=5)),
                ("bar_at", models.DateTimeField(help_text="Open time of the bar that closed with the setup.")),
                ("strategy", models.CharField(max_length=50)),
                ("side", models.CharField(choices=[("long", "long"), ("short", "short")], max_length=5)),
                (
                    "status",
                    models.CharField(
                        choices=[("taken", "taken"), ("refused", "refused"), ("expired", "expired")], max_length=10
                    ),
                ),
                ("refused_by", models.CharField(blank=True, max_length=40)),
                ("reason", models.TextField(blank=True)),
                ("price", models.FloatField(help_text="Close of the bar, quote per base.")),
                ("atr", models.FloatField(help_text="Average true range, quote per base.")),
                ("regime", models.CharField(max_length=12)),
                (
                    "score",
                    models.FloatField(
                        help_text="Technical score, 0 to 100; null where an indicator had no value.", null=True
                    ),
                ),
                ("indicators", models.JSONField(help_text="Each indicator at the bar; null where it had no value.")),
                ("decided_at", models.DateTimeField()),
                ("code_version", models.CharField(max_length=20)),
                (
                    "revision",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signals",
                        to="trading.parameterrevision",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SignalVerdict",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveSmallIntegerField()),
                ("name", models.CharField(max_length=40)),
                ("passed", models.BooleanField()),
                ("value", models.FloatField(null=True)),
                ("limit", models.FloatField(null=True)),
                ("reason", models.TextField()),
                (
                    "signal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="verdicts", to="trading.signal"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Trade",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("mode", models.CharField(choices=[("paper", "paper"), ("live", "live")], max_length=5)),
                ("symbol", models.CharField(max_length=30)),
                ("side", models.CharField(choices=[("long", "long"), ("short", "short")], max_length=5)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("opening", "opening"),
                            ("open", "open"),
                            ("closed", "closed"),
                            ("canceled", "canceled"),
                        ],
                        default="opening",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("exit_reason", models.CharField(blank=True, max_length=20)),
                ("planned_quantity", models.DecimalField(decimal_places=12, help_text="Base.", max_digits=28)),
                (
                    "planned_entry",
                    models.DecimalField(
                        decimal_places=12, help_text="Quote per base, slippage included.", max_digits=28
                    ),
                ),
                (
                    "quantity",
                    models.DecimalField(
                        decimal_places=12,
                        default=Decimal("0"),
                        help_text="Base that was bought or sold short.",
                        max_digits=28,
                    ),
                ),
                (
                    "remaining",
                    models.DecimalField(
                        decimal_places=12, default=Decimal("0"), help_text="Base still open.", max_digits=28
                    ),
                ),
                (
                    "entry_price",
                    models.DecimalField(
                        decimal_places=12,
                        default=Decimal("0"),
                        help_text="Mean fill price, quote per base.",
                        max_digits=28,
                    ),
                ),
                (
                    "fees",
                    models.DecimalField(
                        decimal_places=12, default=Decimal("0"), help_text="Quote, all fills.", max_digits=28
                    ),
                ),
                (
                    "gross_pnl",
                    models.DecimalField(
                        decimal_places=12,
                        default=Decimal("0"),
                        help_text="Quote, realised, before fees.",
                        max_digits=28,
                    ),
                ),
                ("equity_at_entry", models.DecimalField(decimal_places=12, help_text="Quote.", max_digits=28)),
                ("risk_fraction", models.FloatField(help_text="Of equity, lost at the first stop.")),
                ("risk_factors", models.JSONField()),
                ("rules", models.JSONField(help_text="The exit rules fixed at entry; null: never.")),
                ("first_stop", models.FloatField()),
                ("stop", models.FloatField()),
                (
                    "stop_reason",
                    models.PositiveSmallIntegerField(default=0, help_text="core.position.ExitReason of the stop."),
                ),
                ("remaining_fraction", models.FloatField(default=1.0)),
                ("targets_hit", models.PositiveSmallIntegerField(default=0)),
                ("best", models.FloatField(help_text="Best price since entry.")),
                ("bars", models.PositiveIntegerField(default=0)),
                (
                    "last_bar_at",
                    models.DateTimeField(help_text="Open time of the newest bar that the position has seen."),
                ),
                (
                    "revision",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trades",
                        to="trading.parameterrevision",
                    ),
                ),
                (
                    "signal",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="trade", to="trading.signal"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="order",
            name="trade",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="orders", to="trading.trade"
            ),
        ),
        migrations.CreateModel(
            name="LedgerEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("deposit", "deposit"), ("realised", "realised PnL"), ("fee", "fee")], max_length=8
                    ),
                ),
                ("amount", models.DecimalField(decimal_places=12, max_digits=28)),
                ("at", models.DateTimeField()),
                (
                    "fill",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="ledger",
                        to="trading.fill",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "ledger entries",
                "constraints": [models.UniqueConstraint(fields=("fill", "kind"), name="one_entry_per_fill_and_kind")],
            },
        ),
        migrations.CreateModel(
            name="OrderEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.PositiveIntegerField()),
                ("from_status", models.CharField(blank=True, max_length=10)),
                ("to_status", models.CharField(max_length=10)),
                ("at", models.DateTimeField()),
                ("note", models.TextField(blank=True)),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="events", to="trading.order"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("order", "seq"), name="one_event_per_seq")],
            },
        ),
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(fields=["-decided_at"], name="signal_newest"),
        ),
        migrations.AddConstraint(
            model_name="signal",
            constraint=models.UniqueConstraint(fields=("symbol", "timeframe", "bar_at"), name="one_decision_per_bar"),
        ),
        migrations.AddConstraint(
            model_name="signalverdict",
            constraint=models.UniqueConstraint(fields=("signal", "position"), name="one_verdict_per_position"),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(fields=["status", "-closed_at"], name="trade_closed_newest"),
        ),
        migrations.AddConstraint(
            model_name="trade",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ("opening", "open"))),
                fields=("mode", "symbol"),
                name="one_open_trade_per_symbol",
            ),
        ),
        migrations.AddConstraint(
            model_name="trade",
            constraint=models.CheckConstraint(
                condition=models.Q(("planned_quantity__gt", 0)), name="trade_quantity_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="trade",
            constraint=models.CheckConstraint(
                condition=models.Q(("remaining__gte", 0)), name="trade_never_crosses_zero"
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("status__in", ("intent", "submitting", "unknown", "open"))),
                fields=["status"],
                name="order_live",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(fields=("trade", "number"), name="one_number_per_trade"),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("role", "entry"), models.Q(("status__in", ("rejected", "absent", "expired")), _negated=True)
                ),
                fields=("trade",),
                name="one_live_entry",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                condition=models.Q(("role", "stop"), ("status__in", ("intent", "submitting", "unknown", "open"))),
                fields=("trade",),
                name="one_live_stop",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("role", "exit"), models.Q(("status__in", ("rejected", "absent", "expired")), _negated=True)
                ),
                fields=("trade", "reason"),
                name="one_exit_per_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(condition=models.Q(("quantity__gt", 0)), name="order_quantity_positive"),
        ),
    ]
