"""Make room for backups that were made and tried, and for what the old bot left behind."""

from django.db import migrations, models

GRANTED = (
    ("backuprun", "view_log", "Can read the log of every process"),
    ("backuprun", "view_backuprun", "Can view backup run"),
    ("legacyrecord", "view_legacyrecord", "Can view legacy record"),
)


def grant(apps, schema_editor):
    """Let the group admin look. Django makes permissions after all migrations; one that is there already stays."""
    admin, _ = apps.get_model("auth", "Group").objects.get_or_create(name="admin")
    for model, codename, name in GRANTED:
        of, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label="trading", model=model)
        right, _ = apps.get_model("auth", "Permission").objects.get_or_create(
            content_type=of, codename=codename, defaults={"name": name}
        )
        admin.permissions.add(right)


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0016_audit"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.CreateModel(
            name="BackupRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("backup", "backup"), ("trial", "trial restore")], max_length=6),
                ),
                ("at", models.DateTimeField()),
                ("passed", models.BooleanField()),
                (
                    "name",
                    models.CharField(blank=True, help_text="Name of the file, without its folder.", max_length=200),
                ),
                ("size", models.PositiveBigIntegerField(default=0, help_text="Bytes.")),
                ("digest", models.CharField(blank=True, help_text="SHA-256 of the file.", max_length=64)),
                (
                    "is_sealed",
                    models.BooleanField(default=False, help_text="It can be opened only with BACKUP_KEY."),
                ),
                ("seconds", models.FloatField(default=0.0, help_text="How long it took.")),
                ("text", models.TextField()),
            ],
            options={
                "indexes": [models.Index(fields=["kind", "-at"], name="backup_newest")],
                "permissions": [("view_log", "Can read the log of every process")],
            },
        ),
        migrations.CreateModel(
            name="LegacyRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(choices=[("trade", "trade"), ("decision", "AI decision")], max_length=8),
                ),
                (
                    "key",
                    models.CharField(help_text="SHA-256 of kind and content: taken once.", max_length=64, unique=True),
                ),
                ("at", models.DateTimeField(help_text="When it happened, as the old bot wrote it.")),
                ("symbol", models.CharField(blank=True, max_length=30)),
                ("side", models.CharField(blank=True, max_length=5)),
                (
                    "pnl",
                    models.FloatField(blank=True, help_text="Quote, as the old bot counted: without costs.", null=True),
                ),
                ("values", models.JSONField(help_text="The row as it was.")),
                ("source", models.CharField(help_text="Name of the file.", max_length=200)),
                ("imported_at", models.DateTimeField()),
            ],
            options={"indexes": [models.Index(fields=["kind", "-at"], name="legacy_newest")]},
        ),
        # Undone, the group stays: people may be in it.
        migrations.RunPython(grant, migrations.RunPython.noop),
    ]
