"""Make room for the watch list, switches, blacklist and locks, and for what a scan refuses and measures."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q


def finish(apps, schema_editor):
    """Earlier scans were written in one go."""
    apps.get_model("trading", "Scan").objects.filter(finished_at=None).update(finished_at=F("at"))


class Migration(migrations.Migration):
    dependencies = [("trading", "0014_advice")]

    operations = [
        migrations.AddField("scan", "symbols", models.JSONField(default=list, help_text="What is scanned.")),
        migrations.AddField(
            "scan",
            "finished_at",
            models.DateTimeField(blank=True, help_text="When it was ranked; null: rows are missing.", null=True),
        ),
        migrations.AddField(
            "scan",
            "correlations",
            models.JSONField(
                default=dict, help_text="symbols, rows of correlations of returns, and clusters of places in symbols."
            ),
        ),
        migrations.RunPython(finish, migrations.RunPython.noop),
        migrations.AlterField(
            "scanrow", "rank", models.PositiveSmallIntegerField(default=0, help_text="0: not ranked yet.")
        ),
        migrations.AlterField(
            "scanrow",
            "price",
            models.FloatField(blank=True, help_text="Quote per base; null where there are no bars.", null=True),
        ),
        migrations.AddField("scanrow", "refused_by", models.CharField(blank=True, max_length=20, default=""), False),
        migrations.AddField("scanrow", "reason", models.CharField(blank=True, max_length=200, default=""), False),
        migrations.AddField(
            "scanrow",
            "verdicts",
            models.JSONField(default=list, help_text="Each pair filter's answer with value, limit and reason."),
        ),
        migrations.AddField(
            "scanrow",
            "volume",
            models.FloatField(blank=True, help_text="Quote, of the last 24 hours.", null=True),
        ),
        migrations.AddField(
            "scanrow",
            "measures",
            models.JSONField(
                default=dict, help_text="Timeframes, BTC and volume profile, by name; null where one has no value."
            ),
        ),
        migrations.AddField(
            "scanrow",
            "book",
            models.JSONField(
                default=dict,
                help_text="Spread, order-book imbalance, funding rate and open interest, where the venue tells.",
            ),
        ),
        migrations.CreateModel(
            name="WatchedPair",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("symbol", models.CharField(max_length=30)),
                ("source", models.CharField(choices=[("scan", "the scan"), ("hand", "a person")], max_length=4)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField(blank=True, null=True)),
                ("reason", models.CharField(max_length=200)),
                ("by", models.CharField(blank=True, help_text="Empty: Julaba itself.", max_length=150)),
            ],
            options={
                "permissions": [("manage_pairs", "Can watch, switch, lock and blacklist pairs")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(until=None), fields=("symbol",), name="one_place_on_the_watch_list"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PairSwitch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("out_symbol", models.CharField(max_length=30)),
                ("in_symbol", models.CharField(max_length=30)),
                ("out_score", models.FloatField(blank=True, null=True)),
                ("in_score", models.FloatField(blank=True, null=True)),
                ("is_made", models.BooleanField()),
                ("refused_by", models.CharField(blank=True, max_length=20)),
                ("reason", models.CharField(max_length=300)),
                ("verdicts", models.JSONField(default=list)),
                ("by", models.CharField(blank=True, help_text="Empty: Julaba itself.", max_length=150)),
                (
                    "scan",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to="trading.scan"
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["at"], name="pair_switch_at")]},
        ),
        migrations.CreateModel(
            name="BlacklistEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("symbol", models.CharField(max_length=30)),
                ("reason", models.CharField(max_length=200)),
                ("by", models.CharField(max_length=150)),
                ("at", models.DateTimeField()),
                ("removed_at", models.DateTimeField(blank=True, null=True)),
                ("removed_by", models.CharField(blank=True, max_length=150)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(removed_at=None), fields=("symbol",), name="one_blacklist_entry"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PairLock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("symbol", models.CharField(max_length=30)),
                ("until", models.DateTimeField()),
                ("reason", models.CharField(max_length=200)),
                ("by", models.CharField(blank=True, help_text="Empty: a guard of Julaba's.", max_length=150)),
                ("at", models.DateTimeField()),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                ("lifted_by", models.CharField(blank=True, max_length=150)),
            ],
            options={"indexes": [models.Index(fields=["symbol", "until"], name="pair_lock_symbol_until")]},
        ),
    ]
