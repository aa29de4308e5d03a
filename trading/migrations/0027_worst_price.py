"""Keep how far the price went against each trade; of earlier ones it is not known."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0025_second_person")]

    operations = [
        migrations.AddField(
            model_name="trade",
            name="worst",
            field=models.FloatField(
                blank=True, help_text="Worst price since entry; null: it was not followed.", null=True
            ),
        ),
    ]
