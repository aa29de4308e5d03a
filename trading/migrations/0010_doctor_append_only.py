"""Refuse UPDATE and DELETE on what the doctor found: real money is approved on it."""

from django.db import migrations

TABLE = "trading_doctorrun"


def protect(apps, schema_editor):
    postgresql = schema_editor.connection.vendor == "postgresql"
    for act in ("UPDATE", "DELETE"):
        does = (
            "FOR EACH ROW EXECUTE FUNCTION julaba_append_only()"
            if postgresql
            else f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only'); END"
        )
        schema_editor.execute(f"CREATE TRIGGER {TABLE}_no_{act.lower()} BEFORE {act} ON {TABLE} {does}")


def release(apps, schema_editor):
    where = f" ON {TABLE}" if schema_editor.connection.vendor == "postgresql" else ""
    for act in ("update", "delete"):
        schema_editor.execute(f"DROP TRIGGER {TABLE}_no_{act}{where}")


class Migration(migrations.Migration):
    dependencies = [("trading", "0009_shared_pauses")]
    operations = [migrations.RunPython(protect, release)]
