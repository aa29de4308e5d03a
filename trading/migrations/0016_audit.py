"""The audit's chain; the database refuses UPDATE and DELETE on it."""

from django.db import migrations, models

TABLE = "trading_auditentry"


def begin(apps, schema_editor):
    apps.get_model("trading", "AuditHead").objects.get_or_create(pk=1)


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
    dependencies = [("trading", "0015_pairs")]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "number",
                    models.PositiveBigIntegerField(
                        help_text="From 1 on, without a gap.", primary_key=True, serialize=False
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "actor",
                    models.CharField(blank=True, help_text="Empty: nobody who is known here.", max_length=150),
                ),
                ("act", models.CharField(max_length=40)),
                ("outcome", models.CharField(choices=[("done", "done"), ("refused", "refused")], max_length=7)),
                ("about", models.CharField(blank=True, help_text="What it was done to.", max_length=200)),
                ("text", models.TextField()),
                ("details", models.JSONField(default=dict)),
                ("address", models.CharField(blank=True, help_text="From where it was asked.", max_length=45)),
                ("request_id", models.CharField(blank=True, max_length=64)),
                ("previous", models.CharField(max_length=64, unique=True)),
                ("digest", models.CharField(max_length=64, unique=True)),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "indexes": [
                    models.Index(fields=["-at"], name="audit_newest"),
                    models.Index(fields=["actor", "-number"], name="audit_of_actor"),
                    models.Index(fields=["act", "-number"], name="audit_of_act"),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("number__gt", 0)), name="audit_begins_at_one"),
                    models.CheckConstraint(
                        condition=models.Q(models.Q(("act", ""), _negated=True), models.Q(("text", ""), _negated=True)),
                        name="audit_says_what",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveBigIntegerField(default=0)),
                ("digest", models.CharField(default="0" * 64, max_length=64)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("pk", 1)), name="one_audit_head")],
            },
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
        migrations.RunPython(protect, release),
    ]
