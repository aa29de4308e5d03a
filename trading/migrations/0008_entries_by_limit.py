"""An entry may take several orders, one after the other: at most one of them lives, and none follows one that filled."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0007_invariant_runs")]
    operations = [
        # SQLite makes trading_trade anew for it; that table has no triggers to lose.
        migrations.AddField(
            model_name="trade",
            name="is_entering",
            field=models.BooleanField(
                default=False,
                help_text="Quoted by limit orders, and one of them rests or another entry order may follow.",
            ),
        ),
        migrations.RemoveConstraint(model_name="order", name="one_live_entry"),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("role", "entry"),
                    models.Q(
                        ("status__in", ("rejected", "denied", "absent", "lost", "expired", "canceled")), _negated=True
                    ),
                ),
                fields=("trade",),
                name="one_live_entry",
            ),
        ),
    ]
