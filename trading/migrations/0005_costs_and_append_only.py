"""Give open positions the cost they were entered for, and refuse changes of history again.

SQLite makes a table anew when a column is added, which loses its triggers.
"""

from decimal import Decimal

from django.db import migrations

PLACES = Decimal("1e-8")
REMADE = ("trading_orderevent", "trading_fill")
NEW = ("trading_statechange",)


def fill_costs(apps, schema_editor):
    for trade in apps.get_model("trading", "Trade").objects.exclude(remaining=0):
        trade.cost = (trade.entry_price * trade.remaining).quantize(PLACES)
        trade.save(update_fields=["cost"])
    for position in apps.get_model("trading", "PaperPosition").objects.exclude(quantity=0):
        position.cost = (position.price * abs(position.quantity)).quantize(PLACES)
        position.save(update_fields=["cost"])


def protect(apps, schema_editor):
    postgresql = schema_editor.connection.vendor == "postgresql"
    for table in NEW if postgresql else (*REMADE, *NEW):
        for act in ("UPDATE", "DELETE"):
            name = f"{table}_no_{act.lower()}"
            if postgresql:
                schema_editor.execute(
                    f"CREATE TRIGGER {name} BEFORE {act} ON {table} FOR EACH ROW EXECUTE FUNCTION julaba_append_only()"
                )
            else:
                schema_editor.execute(
                    f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {act} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )


def release(apps, schema_editor):
    for table in NEW:
        for act in ("update", "delete"):
            where = f" ON {table}" if schema_editor.connection.vendor == "postgresql" else ""
            schema_editor.execute(f"DROP TRIGGER {table}_no_{act}{where}")


class Migration(migrations.Migration):
    dependencies = [("trading", "0004_orders_that_survive")]
    operations = [
        migrations.RunPython(fill_costs, migrations.RunPython.noop, elidable=False),
        migrations.RemoveField(model_name="paperposition", name="price"),
        migrations.RunPython(protect, release),
    ]
