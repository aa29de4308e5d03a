"""Serve every order and every filter of the lists by an index, so that a million trades answer at once."""

import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.math
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0018_notes"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["kind"], name="event_of_kind"),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["symbol"], name="event_of_symbol"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["created_at", "id"], name="order_by_created"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["status"], name="order_of_status"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["role"], name="order_of_role"),
        ),
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(fields=["symbol", "id"], name="signal_by_symbol"),
        ),
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(fields=["score", "id"], name="signal_by_score"),
        ),
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(fields=["side"], name="signal_of_side"),
        ),
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(fields=["status", "-decided_at"], name="signal_of_status"),
        ),
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(fields=["refused_by"], name="signal_of_refusal"),
        ),
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(fields=["strategy"], name="signal_of_strategy"),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(fields=["created_at", "id"], name="trade_by_created"),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(fields=["closed_at", "id"], name="trade_by_closed"),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(fields=["symbol", "id"], name="trade_by_symbol"),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(fields=["fees", "id"], name="trade_by_fees"),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(
                django.db.models.functions.comparison.Cast(
                    django.db.models.expressions.CombinedExpression(models.F("gross_pnl"), "-", models.F("fees")),
                    models.FloatField(),
                ),
                models.F("id"),
                name="trade_by_net",
            ),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(
                django.db.models.expressions.CombinedExpression(
                    django.db.models.functions.comparison.Cast(
                        django.db.models.expressions.CombinedExpression(models.F("gross_pnl"), "-", models.F("fees")),
                        models.FloatField(),
                    ),
                    "/",
                    django.db.models.functions.comparison.NullIf(
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.functions.math.Abs(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.functions.comparison.Cast("entry_price", models.FloatField()),
                                    "-",
                                    models.F("first_stop"),
                                )
                            ),
                            "*",
                            django.db.models.functions.comparison.Cast("quantity", models.FloatField()),
                        ),
                        models.Func(output_field=models.FloatField(), template="0.0"),
                    ),
                ),
                models.F("id"),
                name="trade_by_r",
            ),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(fields=["side"], name="trade_of_side"),
        ),
        migrations.AddIndex(
            model_name="trade",
            index=models.Index(fields=["exit_reason"], name="trade_of_exit"),
        ),
    ]
