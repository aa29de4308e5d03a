"""Refuse UPDATE and DELETE on the tables that are history, in the database itself."""

from django.db import migrations

TABLES = (
    "trading_parameterrevision",
    "trading_signalverdict",
    "trading_orderevent",
    "trading_fill",
    "trading_ledgerentry",
    "trading_event",
)


def protect(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    if vendor == "postgresql":
        schema_editor.execute(
            "CREATE OR REPLACE FUNCTION julaba_append_only() RETURNS trigger AS $$ "
            "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END; $$ LANGUAGE plpgsql",
            params=None,  # a percent sign of its own
        )
    for table in TABLES:
        for act in ("UPDATE", "DELETE"):
            name = f"{table}_no_{act.lower()}"
            if vendor == "postgresql":
                schema_editor.execute(
                    f"CREATE TRIGGER {name} BEFORE {act} ON {table} FOR EACH ROW EXECUTE FUNCTION julaba_append_only()"
                )
            else:
                schema_editor.execute(
                    f"CREATE TRIGGER {name} BEFORE {act} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )


def release(apps, schema_editor):
    postgresql = schema_editor.connection.vendor == "postgresql"
    for table in TABLES:
        for act in ("update", "delete"):
            where = f" ON {table}" if postgresql else ""
            schema_editor.execute(f"DROP TRIGGER {table}_no_{act}{where}")
    if postgresql:
        schema_editor.execute("DROP FUNCTION julaba_append_only()")


class Migration(migrations.Migration):
    dependencies = [("trading", "0002_trades")]
    operations = [migrations.RunPython(protect, release)]
